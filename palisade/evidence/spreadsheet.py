"""``results.csv``: one row per control and target, for people who filter and count in a spreadsheet."""

from __future__ import annotations

import csv
import io
from datetime import UTC

from palisade.controls import ControlRegistry, Framework
from palisade.evidence.values import natural, printable, readable, shortened
from palisade.results import VerificationRun

_CELL_CHARACTERS = 30_000
"""Excel cuts a cell at 32,767 characters (Microsoft: Excel specifications and limits)."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets run a cell that starts so as a formula (OWASP: CSV injection)."""


def spreadsheet(run: VerificationRun, registry: ControlRegistry) -> bytes:
    """The results as CSV (RFC 4180: comma, CRLF; UTF-8).

    A cell that a spreadsheet would run as a formula starts with an apostrophe: values come from hosts.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        [
            *("host", "control", "title", "status", "reason", "waiver_expires"),
            *("expected", "observed_file", "observed_runtime", "implemented_by", "verified_by"),
            *(framework.value for framework in Framework),
            *("commit", "time", "duration_seconds"),
        ]
    )
    controls = {control.id: control for control in registry.controls}
    for result in sorted(run.results, key=lambda result: (natural(result.target), result.control)):
        control = controls[result.control]
        cells = [
            *(result.target, control.id, control.title, result.status.value, result.reason),
            result.waiver.expires.isoformat() if result.waiver else "",
            *(readable(value) for value in (result.expected, result.observed.file, result.observed.runtime)),
            *(str(control.implemented_by), control.verified_by),
            *("; ".join(control.references.get(framework, ())) for framework in Framework),
            *(result.commit, result.time.astimezone(UTC).isoformat(), f"{result.duration_seconds:.3f}"),
        ]
        writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue().encode()


def _cell(text: str) -> str:
    shown = shortened(printable(text), _CELL_CHARACTERS)
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown
