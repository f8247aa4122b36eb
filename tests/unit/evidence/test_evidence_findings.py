"""Equal results are one finding; nothing disappears in it."""

from __future__ import annotations

from evidence_sample import a_result, every_status, many
from hypothesis import given
from hypothesis import strategies as st

from palisade.evidence.findings import FINDINGS_PER_STATUS, VALUE_CHARACTERS, findings
from palisade.evidence.view import view_of
from palisade.results import Status


def _numbers(count: int) -> dict[str, int]:
    return {f"registry-{number}": number for number in range(count)}


def test_equal_results_are_one_finding_and_the_worst_comes_first() -> None:
    results = [a_result("control", host) for host in ("registry-0", "registry-1", "registry-2", "registry-4")]
    found = findings([*results, a_result("control", "registry-3", Status.FAIL, runtime="1")], _numbers(5))
    assert [(one.status, one.host_numbers, one.everywhere) for one in found] == [
        (Status.FAIL, "3", False),
        (Status.PASS, "0-2,4", False),
    ]


def test_one_finding_on_all_hosts_is_everywhere() -> None:
    (one,) = findings([a_result("control", host) for host in _numbers(3)], _numbers(3))
    assert one.everywhere
    assert one.hosts == ("registry-0", "registry-1", "registry-2")


def test_knows_when_it_was_read() -> None:
    numbers = _numbers(3)
    (one,) = findings([a_result("control", host, seconds=number) for host, number in numbers.items()], numbers)
    assert (one.last - one.first).total_seconds() == 2


def test_many_different_findings_are_bounded_but_keep_their_hosts() -> None:
    numbers = _numbers(50)
    found = findings([a_result("control", host, runtime=host) for host in numbers], numbers)
    assert len(found) == FINDINGS_PER_STATUS + 1
    assert found[-1].merged == 50 - FINDINGS_PER_STATUS
    assert sorted(host for one in found for host in one.hosts) == sorted(numbers)


def test_long_values_are_shortened() -> None:
    (one,) = findings([a_result("control", "registry-0", runtime="x" * 5000)], _numbers(1))
    assert len(one.runtime) < VALUE_CHARACTERS + 60
    assert one.runtime.endswith(f"[{5000 - VALUE_CHARACTERS} more characters: see results.json]")


@given(st.lists(st.tuples(st.sampled_from(Status), st.sampled_from("ab")), min_size=1, max_size=60))
def test_each_host_is_in_exactly_one_finding_with_its_status(states: list[tuple[Status, str]]) -> None:
    numbers = _numbers(len(states))
    results = [a_result("c", host, *state[:1], runtime=state[1]) for host, state in zip(numbers, states, strict=True)]
    by_host = {host: one.status for one in findings(results, numbers) for host in one.hosts}
    assert by_host == {result.target: result.status for result in results}
    assert sum(len(one.hosts) for one in findings(results, numbers)) == len(states)


def test_a_requirement_has_the_worst_status_of_its_controls() -> None:
    run, registry = every_status()
    nist = next(one for one in view_of(run, registry).frameworks if one.framework == "nist_800_53")
    assert [(one.name, one.status, len(one.rows)) for one in nist.requirements] == [
        ("CM-6", Status.PASS, 1),
        ("SC-7", Status.FAIL, 4),
    ]
    assert [row.status for row in nist.requirements[1].rows] == [Status.FAIL, Status.NOT_ASSESSABLE, Status.PASS, None]


def test_controls_without_a_result_are_named() -> None:
    view = view_of(*every_status())
    assert [row.control.id for row in view.unchecked] == ["never-checked"]


def test_controls_are_grouped_by_what_implements_them() -> None:
    view = view_of(*every_status())
    assert [(area.title, len(area.rows)) for area in view.areas] == [
        ("Firewall", 1),
        ("OS hardening", 3),
        ("SSH hardening", 1),
    ]


def test_reasons_of_what_cannot_be_shown_are_counted() -> None:
    (group,) = view_of(*every_status()).unshown
    assert (group.checks, len(group.rows)) == (2, 1)
    assert group.reason.startswith("The kernel is shared")


def test_a_waiver_says_how_long_it_lasts() -> None:
    (waiver,) = view_of(*every_status()).waivers
    assert waiver.days_left == 23


def test_hosts_are_named_as_long_as_they_fit() -> None:
    assert view_of(*many(controls=1, hosts=8)).names_hosts
    assert not view_of(*many(controls=1, hosts=9)).names_hosts
