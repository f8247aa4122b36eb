"""Counts, the order of severity, and the one sentence that says how a run went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from palisade.controls import Scope
from palisade.results import Selection, Status, VerificationRun

SEVERITY = (Status.FAIL, Status.WAIVED, Status.NOT_ASSESSABLE, Status.PASS)
"""Worst first. A waived check is known to fail, so it is worse than one of which nothing is known."""

LABELS = {
    Status.PASS: "Pass",
    Status.FAIL: "Fail",
    Status.WAIVED: "Waived",
    Status.NOT_ASSESSABLE: "Not assessable",
}
"""How each status is called wherever a person reads it."""


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of the statuses.

    Raises:
        ValueError: there is none.
    """
    return min(statuses, key=SEVERITY.index)


@dataclass(frozen=True)
class Summary:
    """What a run amounts to."""

    hosts: int
    cluster: bool
    """Whether a cluster was checked beside the hosts."""
    controls: int
    """Controls with at least one result."""
    counts: dict[Status, int]
    """Checks by status; every status is present."""
    selection: Selection | None = None
    """What was chosen, where not every check of the environment ran."""

    @property
    def checks(self) -> int:
        """All checks, whatever they found."""
        return sum(self.counts.values())

    @property
    def verdict(self) -> str:
        """A headline that never promises more than was shown."""
        if self.selection is None:
            return self._verdict
        return f"Partial: {self.checks:,} of {_number(self.selection.checks, 'check')} ran. {self._verdict}"

    @property
    def _verdict(self) -> str:
        failed = self.counts[Status.FAIL]
        if not self.checks:
            return "Nothing was checked"
        if failed:
            return f"{_number(failed, 'check')} {'fails' if failed == 1 else 'fail'}"
        if self.counts[Status.PASS] == self.checks:
            return "Every check passes"
        others = (Status.WAIVED, Status.NOT_ASSESSABLE)
        rest = [f"{self.counts[status]:,} {LABELS[status].lower()}" for status in others if self.counts[status]]
        return f"No check fails, {', '.join(rest)}"

    @property
    def sentence(self) -> str:
        """The counts in plain language, for a report or a terminal."""
        if not self.checks:
            return "Nothing was checked against any control."
        counts = self.counts
        parts = [
            f"{counts[Status.PASS]:,} of {_number(self.checks, 'check')} {'passes' if self.checks == 1 else 'pass'}",
            f"{counts[Status.FAIL]:,} {'fails' if counts[Status.FAIL] == 1 else 'fail'}",
        ]
        if waived := counts[Status.WAIVED]:
            parts.append(f"{waived:,} {'is' if waived == 1 else 'are'} accepted by a waiver")
        if unknown := counts[Status.NOT_ASSESSABLE]:
            parts.append(f"{unknown:,} cannot be shown here")
        listed = f"{', '.join(parts[:-1])} and {parts[-1]}"
        missing = self.selection.left_out if self.selection else ()
        left_out = f" Not looked at: {', '.join(missing)}." if missing else ""
        return f"{self.targets}, {_number(self.controls, 'control')}: {listed}.{left_out}"

    @property
    def targets(self) -> str:
        """What was checked, in words."""
        places = [_number(self.hosts, "host")] if self.hosts or not self.cluster else []
        return " and ".join([*places, "the cluster"] if self.cluster else places)


def summarise(run: VerificationRun) -> Summary:
    """Count a run."""
    counted = Counter(result.status for result in run.results)
    targets = {result.target for result in run.results}
    return Summary(
        hosts=len(targets - {Scope.CLUSTER.value}),
        cluster=Scope.CLUSTER.value in targets,
        controls=len({result.control for result in run.results}),
        counts={status: counted[status] for status in Status},
        selection=run.selection,
    )


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
