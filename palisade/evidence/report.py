"""``report.html``: the run as one self-contained page."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from palisade.controls import ControlRegistry
from palisade.evidence.summary import summarise
from palisade.results import VerificationRun

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "evidence"


def report(run: VerificationRun, registry: ControlRegistry) -> bytes:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    template = environment.get_template("report.html.j2")
    return template.render(run=run, registry=registry, summary=summarise(run)).encode()
