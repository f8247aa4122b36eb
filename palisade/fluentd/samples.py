"""A configuration of each variant, with invented sinks: for a real Fluentd to check where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from palisade.config_audit import AuditSinks
from palisade.fluentd.model import Fluentd
from palisade.fluentd.rendering import render_fluentd

_NETWORKS = {"networks": ["192.0.2.0/24"]}
_SINKS: Mapping[str, Mapping[str, Any]] = {
    "elasticsearch": {"hosts": ["search-1.example.com", "search-2.example.com"]},
    "opensearch": {"hosts": ["search.example.com"], "port": 443},
    "s3": {"bucket": "audit-example", "region": "eu-central-1"},
    "kafka": {"brokers": ["kafka-1.example.com", "kafka-2.example.com"]},
    "splunk": {"host": "splunk.example.com"},
    "datadog": {"host": "http-intake.logs.datadoghq.eu"},
    "syslog": {"host": "siem.example.com"},
}
_OWN_BUCKET = {**_SINKS["s3"], "endpoint": "objects.example.com", "port": 9000, "prefix": "a/b"}
_OTHER_WAYS: Mapping[str, Mapping[str, Any]] = {
    # Never alone: its plugin drops what Datadog refuses (docs/fluentd.md).
    "datadog": {"s3": _SINKS["s3"], "datadog": _SINKS["datadog"]},
    "s3-elsewhere": {"s3": _OWN_BUCKET},
    "s3-elsewhere-private": {"s3": _OWN_BUCKET, "private_authority": "audit-authority"},
    "kafka-plain": {"kafka": {**_SINKS["kafka"], "login": "plain"}},
    "syslog-tcp": {"syslog": {**_SINKS["syslog"], "transport": "tcp"}},
    "all-private": {**_SINKS, "private_authority": "audit-authority"},
    "all": _SINKS,
}
VARIANTS: Mapping[str, AuditSinks] = {
    name: AuditSinks.model_validate(
        {kind: {**_NETWORKS, **value} if isinstance(value, Mapping) else value for kind, value in sinks.items()}
    )
    for name, sinks in sorted({**{kind: {kind: sink} for kind, sink in _SINKS.items()}, **_OTHER_WAYS}.items())
}
"""The sinks of each variant, by its name: each kind alone, each other way, and all together."""


def render_samples(environment: str) -> Mapping[str, str]:
    """The text of each variant, by the name of its file."""
    return {f"sample-{name}.conf": render_fluentd(Fluentd(environment, sinks)) for name, sinks in VARIANTS.items()}
