"""What the report shows, as plain data: the page only lays it out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from palisade.controls import Control, ControlRegistry, Framework, Scope
from palisade.evidence.findings import Finding, findings
from palisade.evidence.summary import SEVERITY, Summary, summarise, worst
from palisade.evidence.values import natural
from palisade.results import AppliedWaiver, CheckResult, Status, VerificationRun

COLUMNS_OF_HOSTS = 8
"""With more hosts than fit side by side, the matrix counts hosts by status instead of naming them."""

FRAMEWORK_LABELS = {
    Framework.CIS_DEBIAN_12: "CIS Benchmark for Debian 12",
    Framework.CIS_KUBERNETES: "CIS Kubernetes Benchmark 1.11",
    Framework.NIST_800_53: "NIST SP 800-53 rev. 5",
    Framework.PCI_DSS: "PCI DSS 4.0.1",
    Framework.SOC_2: "SOC 2 (Trust Services Criteria)",
    Framework.GDPR: "GDPR",
    Framework.HIPAA: "HIPAA Security Rule",
}
_INITIALISMS = frozenset({"os", "ssh"})
_PLACES = {Scope.NODE: "hosts on which pods run", Scope.CLUSTER: "the cluster"}


@dataclass(frozen=True)
class Row:
    """One control."""

    control: Control
    cells: tuple[Status | None, ...]
    """Status by host, in the order of the page; None where the control has no result."""
    counts: Mapping[Status, int]
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status | None:
        """The worst status on any host; None if nothing was checked."""
        return worst(self.counts) if self.counts else None

    @property
    def places(self) -> str:
        """Where the control applies, in words."""
        groups = [place.value for place in self.control.applies_to if place not in _PLACES]
        hosts = [f"{', '.join(groups)} hosts"] if groups else []
        return ", ".join([*hosts, *(words for scope, words in _PLACES.items() if scope in self.control.applies_to)])

    @property
    def references(self) -> list[tuple[Framework, str, tuple[str, ...]]]:
        """Framework, its label and the requirements, in the order of the frameworks."""
        return [
            (framework, FRAMEWORK_LABELS[framework], self.control.references[framework])
            for framework in Framework
            if framework in self.control.references
        ]


@dataclass(frozen=True)
class Area:
    """The controls that one role, or the cluster, puts in place."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class HostTile:
    """One host (or the cluster) and how many of its checks have which status."""

    name: str
    counts: Mapping[Status, int]

    @property
    def checks(self) -> int:
        """All its checks."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Requirement:
    """One requirement of a framework and the controls that refer to it."""

    name: str
    rows: tuple[Row, ...]
    """Worst first."""

    @property
    def status(self) -> Status | None:
        """The worst status of its controls; None if none of them was checked."""
        statuses = [row.status for row in self.rows if row.status]
        return worst(statuses) if statuses else None


@dataclass(frozen=True)
class FrameworkView:
    """One framework and its requirements that at least one control refers to."""

    framework: Framework
    label: str
    requirements: tuple[Requirement, ...]

    @property
    def counts(self) -> Mapping[Status | None, int]:
        """Requirements by their worst status."""
        return Counter(requirement.status for requirement in self.requirements)


@dataclass(frozen=True)
class Unshown:
    """Checks that could not be made for one and the same reason."""

    reason: str
    checks: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class WaiverView:
    """An accepted deviation."""

    row: Row
    finding: Finding
    accepted: AppliedWaiver
    days_left: int
    """Days from the run (UTC) to the waiver's last day."""


@dataclass(frozen=True)
class ReportView:
    """Everything on the page."""

    run: VerificationRun
    summary: Summary
    hosts: tuple[HostTile, ...]
    areas: tuple[Area, ...]
    frameworks: tuple[FrameworkView, ...]
    unshown: tuple[Unshown, ...]
    waivers: tuple[WaiverView, ...]
    unchecked: tuple[Row, ...]
    """Registered controls without any result in this run."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """All controls."""
        return tuple(row for area in self.areas for row in area.rows)

    @property
    def failing(self) -> tuple[tuple[Row, Finding], ...]:
        """What needs attention."""
        return tuple((row, one) for row in self.rows for one in row.findings if one.status is Status.FAIL)

    @property
    def names_hosts(self) -> bool:
        """The matrix has a column for each host, not for each status."""
        return len(self.hosts) <= COLUMNS_OF_HOSTS


def view_of(run: VerificationRun, registry: ControlRegistry) -> ReportView:
    """Arrange a run for reading: the same run gives the same view."""
    by_control: dict[str, list[CheckResult]] = defaultdict(list)
    by_host: dict[str, Counter[Status]] = defaultdict(Counter)
    for result in run.results:
        by_control[result.control].append(result)
        by_host[result.target][result.status] += 1
    names = sorted(by_host, key=lambda name: (name == Scope.CLUSTER, natural(name)))
    rows = [_row(control, by_control[control.id], names) for control in registry.controls]
    return ReportView(
        run=run,
        summary=summarise(run),
        hosts=tuple(HostTile(name, by_host[name]) for name in names),
        areas=_areas(rows),
        frameworks=_frameworks(rows),
        unshown=_unshown(rows),
        waivers=_waivers(run, rows),
        unchecked=tuple(row for row in rows if not row.findings),
    )


def _row(control: Control, results: Sequence[CheckResult], names: Sequence[str]) -> Row:
    statuses = {result.target: result.status for result in results}
    return Row(
        control=control,
        cells=tuple(statuses.get(name) for name in names),
        counts=Counter(statuses.values()),
        findings=findings(results, {name: number for number, name in enumerate(names)}),
    )


def _areas(rows: Sequence[Row]) -> tuple[Area, ...]:
    by_area: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_area[row.control.implemented_by.heading[0]].append(row)
    return tuple(
        Area(
            title=_title(area),
            rows=tuple(sorted(by_area[area], key=lambda row: (row.control.implemented_by.heading, row.control.id))),
        )
        for area in sorted(by_area)
    )


def _frameworks(rows: Sequence[Row]) -> tuple[FrameworkView, ...]:
    views = []
    for framework in Framework:
        referring: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            for requirement in dict.fromkeys(row.control.references.get(framework, ())):
                referring[requirement].append(row)
        requirements = tuple(
            Requirement(name, tuple(sorted(referring[name], key=_severity))) for name in sorted(referring, key=natural)
        )
        if requirements:
            views.append(FrameworkView(framework, FRAMEWORK_LABELS[framework], requirements))
    return tuple(views)


def _severity(row: Row) -> int:
    return SEVERITY.index(row.status) if row.status else len(SEVERITY)


def _waivers(run: VerificationRun, rows: Sequence[Row]) -> tuple[WaiverView, ...]:
    today = run.started.astimezone(UTC).date()
    return tuple(
        WaiverView(row, one, accepted=one.waiver, days_left=(one.waiver.expires - today).days)
        for row in rows
        for one in row.findings
        if one.waiver
    )


def _unshown(rows: Sequence[Row]) -> tuple[Unshown, ...]:
    by_reason: dict[str, list[tuple[Row, Finding]]] = defaultdict(list)
    for row in rows:
        for one in row.findings:
            if one.status is Status.NOT_ASSESSABLE:
                by_reason[one.reason].append((row, one))
    grouped = [
        Unshown(
            reason=reason,
            checks=sum(len(one.hosts) for _, one in members),
            rows=tuple({row.control.id: row for row, _ in members}.values()),
        )
        for reason, members in by_reason.items()
    ]
    return tuple(sorted(grouped, key=lambda group: (-group.checks, group.reason)))


def _title(area: str) -> str:
    words = [word.upper() if word in _INITIALISMS else word for word in area.split("_")]
    title = " ".join(words)
    return title[:1].upper() + title[1:]
