"""Envoy's files from ``templates/envoy``: one function for pods and hosts, and the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from palisade.access_path.model import ADMINISTRATOR_ROLE, READER_ROLE, AccessPath
from palisade.config_access import OWN_HEADERS
from palisade.templates import TEMPLATES

BOOTSTRAP = "envoy.yaml"
FILES = (BOOTSTRAP, "authority.yaml", "certificate.yaml", "clusters.yaml", "routes.yaml")
"""What Envoy reads: the first one when it starts, the others also whenever they are replaced."""
TLS_VERSION_HEADER = f"{OWN_HEADERS}tls-version"
"""Tells OPA, and the service behind an API, over which TLS version the client came."""
DRAIN_SECONDS = 20
"""How long connections have to end by themselves before Envoy stops."""
RECORD_MILLISECONDS = 1_000
"""How long a record may wait in Envoy before it is written."""


def render_envoy(model: AccessPath) -> Mapping[str, str]:
    """The files by name; they belong into ``model.places.configuration``."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "envoy"),
        autoescape=False,  # noqa: S701 - YAML: every value passes tojson
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = {
        "path": model,
        "places": model.places,
        "ports": model.ports,
        "neighbours": model.neighbours,
        "access": model.access,
        "own_headers": OWN_HEADERS,
        "tls_version_header": TLS_VERSION_HEADER,
        "reader_role": READER_ROLE,
        "administrator_role": ADMINISTRATOR_ROLE,
    }
    return {name: environment.get_template(f"{name}.j2").render(names) for name in FILES}


def envoy_arguments(configuration: str, *, workers: int | None = None) -> tuple[str, ...]:
    """The arguments that Envoy is started with, in a pod and on a host.

    Args:
        configuration: The directory of the rendered files.
        workers: How many threads serve; as many as there are processors unless told.
    """
    threads = () if workers is None else ("--concurrency", str(workers))
    return (
        *("--config-path", f"{configuration}/{BOOTSTRAP}"),
        *("--drain-time-s", str(DRAIN_SECONDS)),
        *("--file-flush-interval-msec", str(RECORD_MILLISECONDS)),
        *("--log-level", "warning"),
        *threads,
        "--disable-hot-restart",
        "--reject-unknown-dynamic-fields",
    )
