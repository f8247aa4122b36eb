"""The one sentence that says how a run went."""

from __future__ import annotations

import pytest
from evidence_sample import a_result, a_run, every_status
from hypothesis import given
from hypothesis import strategies as st

from palisade.evidence import summarise
from palisade.evidence.summary import SEVERITY, worst
from palisade.results import Selection, Status

PASS, FAIL, WAIVED, UNKNOWN = Status.PASS, Status.FAIL, Status.WAIVED, Status.NOT_ASSESSABLE


@pytest.mark.parametrize(
    ("statuses", "verdict", "sentence"),
    [
        ([], "Nothing was checked", "Nothing was checked against any control."),
        ([PASS], "Every check passes", "1 host, 1 control: 1 of 1 check passes and 0 fail."),
        ([PASS, PASS], "Every check passes", "1 host, 2 controls: 2 of 2 checks pass and 0 fail."),
        ([FAIL, PASS], "1 check fails", "1 host, 2 controls: 1 of 2 checks pass and 1 fails."),
        ([FAIL, FAIL], "2 checks fail", "1 host, 2 controls: 0 of 2 checks pass and 2 fail."),
        (
            [PASS, WAIVED, UNKNOWN],
            "No check fails, 1 waived, 1 not assessable",
            "1 host, 3 controls: 1 of 3 checks pass, 0 fail, 1 is accepted by a waiver and 1 cannot be shown here.",
        ),
        (
            [UNKNOWN],
            "No check fails, 1 not assessable",
            "1 host, 1 control: 0 of 1 check passes, 0 fail and 1 cannot be shown here.",
        ),
    ],
)
def test_says_it_in_words(statuses: list[Status], verdict: str, sentence: str) -> None:
    run = a_run([a_result(f"control-{number}", "db-1", status) for number, status in enumerate(statuses)])
    summary = summarise(run)
    assert summary.verdict == verdict
    assert summary.sentence == sentence


def test_a_part_of_the_checks_is_called_one_and_says_what_nobody_looked_at() -> None:
    part = Selection(controls=(), targets=("db-1",), checks=1145, left_out=("bastion-1", "cluster"))
    summary = summarise(a_run([a_result("a-control", "db-1", PASS)]).model_copy(update={"selection": part}))
    assert summary.verdict == "Partial: 1 of 1,145 checks ran. Every check passes"
    assert summary.sentence == "1 host, 1 control: 1 of 1 check passes and 0 fail. Not looked at: bastion-1, cluster."


def test_counts_hosts_controls_and_checks() -> None:
    run, _ = every_status()
    summary = summarise(run)
    assert (summary.hosts, summary.controls, summary.checks) == (2, 4, 7)
    assert summary.counts == {PASS: 3, FAIL: 1, WAIVED: 1, UNKNOWN: 2}


@pytest.mark.parametrize(
    ("targets", "hosts", "words"),
    [
        (["db-1", "cluster"], 1, "1 host and the cluster"),
        (["cluster"], 0, "the cluster"),
        (["db-1"], 1, "1 host"),
    ],
)
def test_the_cluster_is_not_counted_as_a_host(targets: list[str], hosts: int, words: str) -> None:
    summary = summarise(a_run([a_result("a-control", target) for target in targets]))
    assert (summary.hosts, summary.cluster, summary.targets) == (hosts, "cluster" in targets, words)


@given(st.lists(st.sampled_from(Status), max_size=20))
def test_promises_a_pass_only_when_everything_passed(statuses: list[Status]) -> None:
    run = a_run([a_result(f"control-{number}", "db-1", status) for number, status in enumerate(statuses)])
    everything_passed = bool(statuses) and set(statuses) == {PASS}
    assert (summarise(run).verdict == "Every check passes") is everything_passed


def test_every_status_has_a_severity_and_an_unknown_is_worse_than_a_pass() -> None:
    assert sorted(SEVERITY) == sorted(Status)
    assert worst([PASS, UNKNOWN]) is UNKNOWN
    assert worst([UNKNOWN, WAIVED, PASS]) is WAIVED
    assert worst([PASS, FAIL, WAIVED]) is FAIL
