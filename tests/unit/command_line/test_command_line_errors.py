"""Errors on the command line: labelled text for people, one JSON document for machines, one exit code each."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palisade import __main__
from palisade.__main__ import requested_output
from palisade.console import OutputFormat
from palisade.errors import ExitCode

ROOT = Path(__file__).resolve().parents[3]


def palisade(*arguments: str, project: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palisade", *arguments],
        env={**os.environ, "PALISADE_PROJECT": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan", "--output", "json"], OutputFormat.JSON),
        (["plan", "--output=json"], OutputFormat.JSON),
        (["plan", "--output", "text"], OutputFormat.TEXT),
        (["plan", "json", "--output"], OutputFormat.TEXT),
        ([], OutputFormat.TEXT),
    ],
)
def test_requested_output(arguments: list[str], expected: OutputFormat) -> None:
    assert requested_output(arguments) is expected


def test_a_refused_configuration_is_explained_and_has_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: palisade\n")
    refused = palisade("plan", "nowhere", project=tmp_path)
    assert refused.returncode == ExitCode.CONFIGURATION
    assert "error: " in refused.stderr
    assert "There is no environment nowhere" in refused.stderr
    assert refused.stdout == ""


def test_a_machine_gets_the_same_error_as_one_document(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: palisade\n")
    refused = palisade("plan", "nowhere", "--output", "json", project=tmp_path)
    document = json.loads(refused.stdout)
    assert document["exit_code"] == ExitCode.CONFIGURATION == refused.returncode
    assert document["error"]["where"]


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    refused = palisade("plan", "prod", project=tmp_path)
    assert refused.returncode == ExitCode.CONFIGURATION
    assert "This is not a Palisade project." in refused.stderr
    assert "PALISADE_PROJECT" in refused.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    assert palisade("plan", "--nonsense").returncode == ExitCode.USAGE


def test_a_failure_of_palisade_itself_is_not_the_answer_no(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document, said = _ends_with(ZeroDivisionError("by zero"), monkeypatch, capsys)
    assert document["exit_code"] == int(ExitCode.INTERNAL) == 70
    assert document["error"]["error"] == "Palisade itself failed: ZeroDivisionError: by zero"
    assert document["error"]["where"].startswith(__file__)
    assert "Traceback (most recent call last)" in said
    assert "error: Palisade itself failed" in said


def test_a_full_disk_is_the_machines_and_needs_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/var/lib/file")
    document, said = _ends_with(full, monkeypatch, capsys)
    assert document["exit_code"] == ExitCode.MACHINE
    assert document["error"]["error"] == "The disk is full: No space left on device."
    assert document["error"]["where"] == "/var/lib/file"
    assert "Traceback" not in said


def _ends_with(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, Any], str]:
    def fail() -> None:
        raise error

    monkeypatch.setattr(__main__, "application", fail)
    monkeypatch.setattr(sys, "argv", ["palisade", "plan", "prod", "--output", "json"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    output, said = capsys.readouterr()
    document: dict[str, Any] = json.loads(output)
    assert ended.value.code == document["exit_code"]
    return document, said
