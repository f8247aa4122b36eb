"""Fluentd's configuration from ``templates/fluentd``: the same bytes for the same input."""

from __future__ import annotations

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from palisade.fluentd.model import (
    DOCUMENT_OF,
    FLUSH_SECONDS,
    HEALTH_PORT,
    IDENTITY,
    LOGS_PREFIX,
    PREFIX,
    Fluentd,
    variable,
)
from palisade.templates import TEMPLATES

CONFIGURATION = "fluent.conf"
"""The name of the file that Fluentd is started with."""


def render_fluentd(model: Fluentd) -> str:
    """The whole configuration; no secret is in it, only the names of variables that hold them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES / "fluentd"),
        autoescape=False,  # noqa: S701 - Fluentd's own syntax: every value passes literal or was matched by a pattern
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.globals["secret"] = _secret
    names = {
        "model": model,
        "places": model.places,
        "limits": model.limits,
        "flush_seconds": FLUSH_SECONDS,
        "health_port": HEALTH_PORT,
        "document_of": DOCUMENT_OF,
        "identity": IDENTITY,
        "prefixes": {"audit": PREFIX, "logs": LOGS_PREFIX},
    }
    return environment.get_template(f"{CONFIGURATION}.j2").render(names)


def literal(value: object) -> str:
    """A value that Fluentd takes as it is: in single quotes nothing is evaluated (configuration file syntax)."""
    text = str(value)
    if "'" in text or "\\" in text or "\n" in text:
        raise ValueError(text)
    return f"'{text}'"


def _secret(sink: str, key: str) -> str:
    """Read from the environment when Fluentd starts; without the variable it does not start."""
    return f"\"#{{ENV.fetch('{variable(sink, key)}')}}\""
