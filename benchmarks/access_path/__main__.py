"""Measures what a request costs on each access path: ``python -m benchmarks.access_path`` (about six minutes).

The paths take turns in one run, so that what else the machine does meets all of them. Processor time depends little on
that; the latencies do, and the load generator runs on the same machine.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.access_path.load import Measured, attack
from benchmarks.access_path.variants import Variant, variants
from benchmarks.page import write_table
from palisade.console import Steps
from palisade.project import Project
from palisade.tools import ensure, step_titles

ROUNDS = 3
WARM_SECONDS, FULL_SECONDS, HALF_SECONDS = 2, 5, 10
COMMAND = "python -m benchmarks.access_path"


def measure(vegeta: Path, variant: Variant) -> tuple[Measured, Measured]:
    """One path at the load that it just carries, and at half of that."""
    attack(vegeta, variant.target, variant.processes, rate=0, seconds=WARM_SECONDS)
    full = attack(vegeta, variant.target, variant.processes, rate=0, seconds=FULL_SECONDS)
    half = attack(vegeta, variant.target, variant.processes, rate=max(1, int(full.rate / 2)), seconds=HALF_SECONDS)
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"  {variant.title}: full {_cost(full)}, {full.rate:.0f}/s; half {_cost(half)}; load {load}", file=sys.stderr)
    return full, half


def rows(variant: Variant, measured: Sequence[tuple[Measured, Measured]]) -> list[tuple[str, str]]:
    """What is shown of one path: the median of the rounds."""
    full, half = zip(*measured, strict=True)
    rate = statistics.median(one.rate for one in full)
    p50, p99 = (statistics.median(getattr(one, name) for one in half) for name in ("p50_ms", "p99_ms"))
    return [
        (f"{variant.title}: CPU seconds per 1,000 requests at half load", _parts(variant, half)),
        (f"{variant.title}: the same at full load", _parts(variant, full)),
        (f"{variant.title}: full load; p50 and p99 at half of it", f"{rate:,.0f}/s; {p50:.1f} ms, {p99:.1f} ms"),
    ]


def _parts(variant: Variant, measured: Sequence[Measured]) -> str:
    medians = {name: statistics.median(one.seconds[name] for one in measured) for name in variant.processes}
    parts = " + ".join(f"{name} {seconds:.2f}" for name, seconds in medians.items())
    total = statistics.median(sum(one.seconds.values()) for one in measured)
    return parts if len(medians) == 1 else f"{parts} = {total:.2f}"


def _cost(measured: Measured) -> str:
    return " + ".join(f"{seconds:.2f}" for seconds in measured.seconds.values())


def main() -> None:
    """Measure and write the table."""
    project = Project.find(Path(__file__))
    names = ["vegeta"]
    vegeta = ensure(project, names, Steps(step_titles(project, names)))["vegeta"]
    with tempfile.TemporaryDirectory(prefix="palisade-benchmark-") as directory, variants(Path(directory)) as running:
        measured: dict[str, list[tuple[Measured, Measured]]] = {one.title: [] for one in running}
        for _ in range(ROUNDS):
            for one in running:
                measured[one.title].append(measure(vegeta, one))
        found = [row for one in running for row in rows(one, measured[one.title])]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    found.append(("load of the machine at the end, 1, 5 and 15 minutes", load))
    write_table("access_path", COMMAND, found)


if __name__ == "__main__":
    main()
