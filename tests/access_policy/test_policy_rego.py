"""The Rego itself: checked, formatted, linted, and every line of it reached by its tests."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from policy_parts import ROOT

FOLDERS = ("policies/api", "policies/opa")
SCHEMAS = "policies/api/schemas"
_IGNORED = ("--ignore", "*.yaml", "--ignore", "schemas")


def run(program: Path, *arguments: str) -> str:
    answer = subprocess.run([str(program), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_it_is_sound(opa: Path) -> None:
    run(opa, "check", "--strict", "--schema", SCHEMAS, *_IGNORED, *FOLDERS)


def test_its_schema_finds_a_field_that_there_is_not(opa: Path, tmp_path: Path) -> None:
    text = (ROOT / "policies/api/compliance/compliance.rego").read_text(encoding="utf-8")
    broken = tmp_path / "broken.rego"
    broken.write_text(text.replace("request.http.method][path]", "request.http.verb][path]"), encoding="utf-8")
    command = [str(opa), "check", "--strict", "--schema", SCHEMAS, str(broken)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "undefined ref" in answer.stderr + answer.stdout


def test_it_is_formatted(opa: Path) -> None:
    assert run(opa, "fmt", "--list", *FOLDERS) == ""


def test_it_is_linted(programs: dict[str, Path]) -> None:
    run(programs["regal"], "lint", "--format", "compact", *FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_its_tests_pass_and_reach_everything(opa: Path, folder: str) -> None:
    run(opa, "test", *_IGNORED, folder)
    report: dict[str, Any] = json.loads(run(opa, "test", "--coverage", *_IGNORED, folder))
    missed = {name: file["not_covered"] for name, file in report["files"].items() if file.get("not_covered")}
    assert missed == {}
    assert report["coverage"] == 100
