"""What Fluentd is told: sinks, places on the node, and the limits of its buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from palisade.config import FleetConfiguration
from palisade.config_audit import AuditSinks, Sink

LABEL = "fluentd"
"""``app.kubernetes.io/name`` of its pods, the name of its service account and of its configuration."""
PREFIX = "api-audit"
"""What the names of indexes start with."""
LOGS_PREFIX = "api-audit-logs"
"""The same for logs of containers, which are no audit records."""
FLUSH_SECONDS = 5
HEALTH_PORT = 24220
"""Where the kubelet asks whether it runs."""
SECRET_KEYS: Mapping[str, tuple[str, ...]] = {
    "elasticsearch": ("user", "password"),
    "opensearch": ("user", "password"),
    "s3": ("key_id", "key"),
    "kafka": ("user", "password"),
    "splunk": ("token",),
    "datadog": ("api_key",),
    "syslog": (),
}
"""The keys of the Secret of each kind of sink."""
FOR_LOGS = ("elasticsearch", "opensearch", "splunk", "datadog")
"""The kinds of sinks that logs of containers go to as well: those that people search. What cannot be deleted gets audit
records only."""

DOCUMENT_OF = ("elasticsearch", "opensearch")
"""The kinds of sinks in which a record is a document with an identifier."""
IDENTITY = (
    *("record_id", "stream", "log"),
    *("auditID", "stage", "requestReceivedTimestamp", "stageTimestamp", "verb", "requestURI"),
    *("user", "sourceIPs", "userAgent", "node"),
)
"""The fields that tell one audit record from another, beside its time and the file that it was read from: Envoy's own
identifier; of a line that is no record its text; and of a record of the API server more than auditID, which clients may
choose (the header Audit-ID): with auditID alone, one could hide all records but the first."""


def secret_name(sink: str) -> str:
    """The name of the Secret of a sink."""
    return f"audit-{sink}"


def variable(sink: str, key: str) -> str:
    """The environment variable that a key of the sink's Secret is in."""
    return f"{sink}_{key}".upper()


@dataclass(frozen=True)
class FluentdPlaces:
    """Where things are, in the container as on the node."""

    containers: str = "/var/log/containers"
    kubernetes: str = "/var/log/kubernetes"
    state: str = "/var/lib/palisade/agents/fluentd"
    """Positions and buffers, on the node's disk: they outlive the pod."""
    authority: str = "/etc/palisade/authority/ca.crt"


@dataclass(frozen=True)
class Limits:
    """How much is kept while a sink is away; for each sink and kind of record."""

    chunk_mib: int = 8
    total_gib: int = 8
    """When it is full, the tail stops reading; the node keeps the files."""
    threads: int = 2
    retry_seconds: int = 1
    longest_retry_seconds: int = 60


@dataclass(frozen=True)
class Fluentd:
    """All that the templates are rendered from."""

    environment: str
    sinks: AuditSinks
    places: FluentdPlaces = field(default_factory=FluentdPlaces)
    limits: Limits = field(default_factory=Limits)

    @property
    def for_audit(self) -> Mapping[str, Sink]:
        """The sinks of audit records, by kind."""
        return dict(self.sinks.each())

    @property
    def for_logs(self) -> Mapping[str, Sink]:
        """The sinks that logs of containers go to as well."""
        return {name: sink for name, sink in self.sinks.each() if name in FOR_LOGS}

    @property
    def authority(self) -> str:
        """The file with the authorities that sign the sinks' certificates."""
        return self.places.authority if self.sinks.private_authority else "/etc/ssl/certs/ca-certificates.crt"


def fluentd_model(configuration: FleetConfiguration) -> Fluentd | None:
    """The model of an environment; None where no sink is configured, so that nothing collects."""
    sinks = configuration.audit.sinks
    return Fluentd(configuration.environment, sinks) if any(sinks.each()) else None
