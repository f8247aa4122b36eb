"""Contract 4: what a check result may not say."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from evidence_sample import WAIVER, a_result, a_run
from pydantic import ValidationError

from palisade.results import CheckResult, Status, VerificationRun


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "waived"}, "a result that is waived lacks a waiver"),
        ({"waiver": WAIVER}, "a result that is pass has a waiver"),
        ({"status": "fail", "waiver": WAIVER}, "a result that is fail has a waiver"),
        ({"status": "ok"}, "Input should be 'pass', 'fail', 'waived' or 'not_assessable'"),
        ({"time": datetime(2026, 11, 22)}, "Input should have timezone info"),
        ({"surprise": 1}, "Extra inputs are not permitted"),
    ],
)
def test_a_result_that_says_too_little_or_too_much_is_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        CheckResult.model_validate({**a_result("some-control", "db-1").model_dump(), **change})


def test_a_run_knows_its_time_zone() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        VerificationRun.model_validate({**a_run([]).model_dump(), "started": datetime(2026, 11, 22)})


def test_a_run_counts_its_statuses() -> None:
    run = a_run([a_result("one", "db-1"), a_result("two", "db-1"), a_result("three", "db-1", Status.FAIL)])
    assert {status.value: run.count(status) for status in Status} == {
        "pass": 2,
        "fail": 1,
        "waived": 0,
        "not_assessable": 0,
    }
