"""``report.html``: the run as one page that needs nothing else: no network, no server, no other file."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment

from palisade.evidence.findings import Finding
from palisade.evidence.summary import LABELS, SEVERITY
from palisade.evidence.values import printable
from palisade.evidence.view import COLUMNS_OF_HOSTS, HostTile, ReportView
from palisade.results import Status
from palisade.templates import TEMPLATES, markup_environment

_TILES = 24
"""Hosts shown as tiles at once; the others are behind one click."""
_ATTENTION_ENTRIES = 30
"""Findings listed under "What needs attention"; the table has all of them."""

_MEANINGS = {
    Status.PASS: "read and as expected",
    Status.FAIL: "not as expected",
    Status.WAIVED: "not as expected, accepted for a time",
    Status.NOT_ASSESSABLE: "cannot be shown here",
}
_EXPLANATIONS = {
    Status.PASS: "The setting was read, in the running system and in its file if it has one, and is as expected.",
    Status.FAIL: "The setting is not as expected, could not be read, or its waiver has expired.",
    Status.WAIVED: "The setting is not as expected, and a waiver with a reason and a last day accepts that.",
    Status.NOT_ASSESSABLE: "The host (or the cluster) cannot show the running setting. It is never counted as a pass.",
}


def report(view: ReportView, *, results: bytes) -> bytes:
    """Render the page: HTML with its style and script inside, and a policy that lets nothing else run.

    Args:
        view: What to show.
        results: The ``results.json`` that it was made from; the page names its SHA-256.
    """
    style, script = (_source(name) for name in ("report.css", "report.js"))
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            hosts=_worst_first(view.hosts),
            hosts_in_order=view.hosts,
            hosts_title="Hosts and cluster" if view.summary.cluster else "Hosts",
            tone=_tone(view),
            started=_moment(view.run.started),
            took=_duration(view.run.duration_seconds),
            style=style,
            script=script,
            icons=_source("icons.svg"),
            style_hash=_source_hash(style),
            script_hash=_source_hash(script),
            results_sha256=hashlib.sha256(results).hexdigest(),
        )
    )
    return page.encode()


@cache
def _environment() -> Environment:
    environment = markup_environment("evidence")
    environment.finalize = _shown
    environment.globals.update(
        labels=LABELS,
        severity=SEVERITY,
        meanings=_MEANINGS,
        explanations=_EXPLANATIONS,
        columns_of_hosts=COLUMNS_OF_HOSTS,
        tiles_shown=_TILES,
        attention_entries=_ATTENTION_ENTRIES,
        span_of=_span,
        **{f"status_{status.value}": status for status in Status},
    )
    return environment


def _shown(value: Any) -> Any:
    """Every text on the page goes through here, so that none can hide a character."""
    is_markup = hasattr(value, "__html__")
    return printable(value) if isinstance(value, str) and not is_markup else value


def _source(name: str) -> str:
    return (TEMPLATES / "evidence" / name).read_text(encoding="utf-8")


def _source_hash(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")
    return f"sha256-{digest}"


def _worst_first(hosts: tuple[HostTile, ...]) -> list[HostTile]:
    return sorted(hosts, key=lambda host: [-host.counts[status] for status in SEVERITY if status is not Status.PASS])


def _tone(view: ReportView) -> str:
    if view.summary.counts[Status.FAIL]:
        return "fail"
    return "pass" if view.summary.counts[Status.PASS] else "none"


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(finding: Finding) -> str:
    first, last = (time.astimezone(UTC).strftime("%H:%M:%S") for time in (finding.first, finding.last))
    return f"read at {first} UTC" if first == last else f"read {first} to {last} UTC"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
