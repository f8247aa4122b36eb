"""A program that a Python package ships is used itself, not the script of the environment that starts it."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tools_workshop import Workshop

from palisade.errors import MachineError
from palisade.tools.obtain import Finding, State, survey

TOOL = """\
purpose: Comes with Python.
needed_by: [the tests]
version_question: {arguments: [--version], pattern: '(\\S+)$', accepted: ">=0.1"}
python:
  distribution: DISTRIBUTION
  programs: {ruff: FILE}
"""


def define(workshop: Workshop, *, distribution: str = "ruff", file: str = "ruff-0.dist-info/RECORD") -> None:
    folder = workshop.root / "tools/ruff"
    folder.mkdir()
    text = TOOL.replace("DISTRIBUTION", distribution).replace("FILE", file)
    (folder / "tool.yaml").write_text(text, encoding="utf-8")


def found(workshop: Workshop) -> Finding:
    catalogue = workshop.catalogue
    return survey(catalogue, [catalogue.programs["ruff"]], None)[0]


def test_the_file_of_the_package_is_used_and_not_the_script_of_the_environment(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(workshop, file="ruff/__init__.py")
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ["PATH"]]))
    finding = found(workshop)
    assert (finding.state, finding.version) == (State.SHIPPED, version("ruff"))
    assert finding.path is not None
    assert finding.path.parts[-2:] == ("ruff", "__init__.py")
    assert workshop.ensure("ruff") == {"ruff": finding.path}


def test_another_program_on_path_is_used(workshop: Workshop) -> None:
    define(workshop, file="ruff/__init__.py")
    on_path = workshop.put_on_path("ruff", "echo ruff 9.9")
    assert (found(workshop).state, found(workshop).path, found(workshop).version) == (State.ON_PATH, on_path, "9.9")


@pytest.mark.parametrize(("distribution", "file"), [("no-such-package", "x"), ("ruff", "ruff/no-such-file")])
def test_what_is_not_installed_is_said_with_the_way_to_install_it(
    workshop: Workshop, distribution: str, file: str
) -> None:
    define(workshop, distribution=distribution, file=file)
    assert found(workshop).state == State.TO_INSTALL
    with pytest.raises(MachineError, match="Programs are missing: ruff is not on PATH") as raised:
        workshop.ensure("ruff")
    assert raised.value.remedy == "run tools/bootstrap, which installs the Python packages of uv.lock"
