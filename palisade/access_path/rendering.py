"""Envoy's files from ``templates/envoy``: one function for pods and hosts, and the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from palisade.access_path.model import ADMINISTRATOR_ROLE, READER_ROLE, AccessPath
from palisade.config_access import OWN_HEADERS
from palisade.errors import ConfigurationError
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
LARGEST_BYTES = 1_048_576
"""What a ConfigMap holds: Kubernetes refuses one whose values are larger together."""


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
    return {name: environment.get_template(f"{name}.j2").render(names, once=_Once()) for name in FILES}


def render_for_config_map(model: AccessPath) -> Mapping[str, str]:
    """The files for pods, which all come from one ConfigMap.

    Raises:
        ConfigurationError: it would be too large.
    """
    files = render_envoy(model)
    size = sum(len(text.encode()) for text in files.values())
    if size > LARGEST_BYTES:
        counted = f"operations: {len(model.routes):,}, services: {len(model.upstreams):,}"
        raise ConfigurationError(
            f"Envoy's files have {size:,} bytes ({counted}).",
            where=f"ConfigMap envoy of {model.environment}",
            allowed=f"at most {LARGEST_BYTES:,} bytes, all that a ConfigMap holds; retired operations count too",
            remedy="register fewer operations or shorter paths, or divide the APIs among fleets; nothing was changed",
        )
    return files


class _Once:
    """Writes a value of YAML where it comes first (``&a0 value``), and where it comes again only its name (``*a0``)."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, value: str) -> str:
        if value in self._names:
            return f"*{self._names[value]}"
        self._names[value] = f"a{len(self._names)}"
        return f"&{self._names[value]} {value}"


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
