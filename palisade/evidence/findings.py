"""Groups equal results: one finding is what was found on every host where exactly the same was found.

It is what keeps a report of hundreds of hosts readable: 500 equal hosts are one finding, and the one that differs
stands beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from palisade.evidence.summary import SEVERITY
from palisade.evidence.values import compact, readable, shortened
from palisade.results import AppliedWaiver, CheckResult, Status

VALUE_CHARACTERS = 1200
"""How much of a value the page shows; ``results.json`` has all of it."""
FINDINGS_PER_STATUS = 12
"""How many different findings of one control and status the page shows; the hosts of the others are one more."""


@dataclass(frozen=True)
class Finding:
    """The same result on one or more hosts."""

    status: Status
    hosts: tuple[str, ...]
    everywhere: bool
    """Every host with a result for this control has this finding."""
    host_numbers: str
    """The hosts as ranges of their numbers (``0-3,7``); what the page's filter reads."""
    expected: str
    file: str
    runtime: str
    reason: str
    waiver: AppliedWaiver | None
    first: datetime
    last: datetime
    """The first and the last time at which it was read."""
    merged: int = 1
    """How many different findings this one stands for (the page shows only the first of many)."""


def findings(results: Sequence[CheckResult], numbers: Mapping[str, int]) -> tuple[Finding, ...]:
    """The findings of one control: worst first, then the one that most hosts share.

    Args:
        results: The control's results, one per host.
        numbers: The number of every host of the run, in the order in which hosts are shown.
    """
    alike: dict[str, list[CheckResult]] = defaultdict(list)
    for result in results:
        alike[_key(result)].append(result)
    ordered = sorted(
        alike.values(),
        key=lambda group: (SEVERITY.index(group[0].status), -len(group), min(numbers[one.target] for one in group)),
    )
    by_status: dict[Status, list[list[CheckResult]]] = defaultdict(list)
    for group in ordered:
        by_status[group[0].status].append(group)
    return tuple(
        _finding(group, numbers, merged=merged, everywhere=len(group) == len(results))
        for groups in by_status.values()
        for group, merged in _bounded(groups)
    )


def _bounded(groups: list[list[CheckResult]]) -> Iterable[tuple[list[CheckResult], int]]:
    shown, rest = groups[:FINDINGS_PER_STATUS], groups[FINDINGS_PER_STATUS:]
    yield from ((group, 1) for group in shown)
    if rest:
        yield [result for group in rest for result in group], len(rest)


def _finding(group: Sequence[CheckResult], numbers: Mapping[str, int], *, merged: int, everywhere: bool) -> Finding:
    one = group[0]
    hosts = sorted((result.target for result in group), key=numbers.__getitem__)
    times = [result.time for result in group]
    return Finding(
        status=one.status,
        hosts=tuple(hosts),
        everywhere=everywhere,
        host_numbers=_ranges([numbers[host] for host in hosts]),
        expected=_value(one.expected),
        file=_value(one.observed.file),
        runtime=_value(one.observed.runtime),
        reason=one.reason,
        waiver=one.waiver,
        first=min(times),
        last=max(times),
        merged=merged,
    )


def _key(result: CheckResult) -> str:
    waiver = result.waiver
    return compact(
        [
            *(result.status.value, result.expected, result.observed.file, result.observed.runtime, result.reason),
            *((waiver.reason, waiver.expires) if waiver else ()),
        ]
    )


def _value(value: object) -> str:
    return shortened(readable(value), VALUE_CHARACTERS)


def _ranges(numbers: Iterable[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)
