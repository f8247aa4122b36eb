"""Progress where there is no terminal: a pipeline's log stays alive and readable."""

from __future__ import annotations

import pytest

from palisade import console
from palisade.console import Steps


def test_details_are_left_out_of_a_short_step(capfd: pytest.CaptureFixture[str]) -> None:
    with Steps(["Build"]).step("Build") as running:
        running.detail("12 packages")
        running.outcome = "built"
    errors = capfd.readouterr().err
    assert "[1/1] Build: built (" in errors
    assert "12 packages" not in errors


def test_a_long_step_says_what_it_does(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(console, "HEARTBEAT_SECONDS", 0.0)
    with Steps(["Build"]).step("Build") as running:
        running.detail("12 packages")
    assert "[1/1] 12 packages\n" in capfd.readouterr().err


def test_a_note_is_always_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with Steps(["Build"]).step("Build") as running:
        running.note("the log is in [a] file")
    assert "the log is in [a] file\n" in capfd.readouterr().err
