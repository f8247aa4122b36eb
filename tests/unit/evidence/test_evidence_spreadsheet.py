"""results.csv: one row per check, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io

import pytest
from evidence_sample import a_control, a_registry, a_result, a_run, every_status

from palisade.evidence.spreadsheet import spreadsheet
from palisade.results import Status


def _rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def test_one_row_per_check_with_all_that_is_known() -> None:
    rows = _rows(spreadsheet(*every_status()))
    assert [(row["host"], row["control"], row["status"]) for row in rows] == [
        ("db-1", "always-passes", "pass"),
        ("db-1", "cannot-be-shown", "not_assessable"),
        ("db-1", "fails-on-one", "pass"),
        ("registry-1", "always-passes", "pass"),
        ("registry-1", "cannot-be-shown", "not_assessable"),
        ("registry-1", "fails-on-one", "fail"),
        ("registry-1", "is-waived", "waived"),
    ]
    assert rows[0]["nist_800_53"] == "SC-7; CM-6"
    assert rows[0]["time"] == "2026-11-22T06:11:32+00:00"
    assert rows[5]["observed_runtime"] == "1"
    assert rows[6]["waiver_expires"] == "2026-12-15"
    assert all(value is not None for row in rows for value in row.values())


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", '=HYPERLINK("http://example.org")'])
def test_formulas_are_text(formula: str) -> None:
    run = a_run([a_result("some-control", "db-1", Status.FAIL, runtime=formula)])
    (row,) = _rows(spreadsheet(run, a_registry(a_control("some-control"))))
    assert row["observed_runtime"] == f"'{formula}"


def test_a_cell_is_not_longer_than_a_spreadsheet_reads() -> None:
    run = a_run([a_result("some-control", "db-1", runtime="x" * 40_000)])
    (row,) = _rows(spreadsheet(run, a_registry(a_control("some-control"))))
    assert len(row["observed_runtime"]) < 32_767
    assert row["observed_runtime"].endswith("[10000 more characters: see results.json]")
