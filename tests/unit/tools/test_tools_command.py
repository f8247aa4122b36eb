"""``palisade tools``: what it prints and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tools_workshop import Workshop
from typer.testing import CliRunner, Result

from palisade.__main__ import application
from palisade.console import ANSWER
from palisade.errors import MachineError

PACKAGED = """\
purpose: Comes from the distribution.
needed_by: [the tests]
version_question: {arguments: [version], pattern: 'packaged (\\S+)', accepted: ">=2"}
debian: {programs: [packaged], packages: [packaged-bin, packaged-data]}
"""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No path is folded (a console keeps the COLUMNS it was made with: 80 in a worker of xdist)."""
    monkeypatch.setattr(ANSWER, "width", 300)


@pytest.fixture
def packaged(workshop: Workshop) -> Workshop:
    folder = workshop.root / "tools" / "packaged"
    folder.mkdir()
    (folder / "tool.yaml").write_text(PACKAGED, encoding="utf-8")
    return workshop


def palisade(workshop: Workshop, *arguments: str) -> Result:
    environment = {"PALISADE_PROJECT": str(workshop.root)}
    return CliRunner().invoke(application, ["tools", *arguments], env=environment)


def records(result: Result) -> dict[str, dict[str, Any]]:
    return {record["name"]: record for record in json.loads(result.stdout)["programs"]}


@pytest.mark.parametrize("arguments", [(), ("--list",), ("--list", "demo", "packaged"), ("--list", "--all")])
def test_the_list_builds_nothing(packaged: Workshop, arguments: tuple[str, ...]) -> None:
    refused = packaged.put_on_path("demo", "echo demo v1.0")
    result = palisade(packaged, *arguments)
    assert result.exit_code == 0
    assert f"would be built ({refused} is version 1.0, not >=1.2,<2)" in " ".join(result.stdout.split())
    assert "missing: install the packages" in result.stdout
    assert not packaged.cache.exists()


def test_the_list_for_machines(packaged: Workshop) -> None:
    found = packaged.put_on_path("packaged", "echo packaged 2.1")
    listed = records(palisade(packaged, "--output", "json"))
    assert listed["demo"] == {
        "accepted": ">=1.2,<2",
        "name": "demo",
        "needed_by": ["the tests"],
        "not_from_path_because": "demo is not on PATH",
        "packages": None,
        "path": None,
        "pinned": "v1.2.3",
        "purpose": "Shows that the mechanism works.",
        "state": "to_build",
        "tool": "demo",
        "usual_build_seconds": 2,
        "version": None,
    }
    assert (listed["packaged"]["state"], listed["packaged"]["path"]) == ("on_path", str(found))
    assert (listed["packaged"]["version"], listed["packaged"]["pinned"]) == ("2.1", None)


def test_names_are_made_ready_and_their_paths_printed(workshop: Workshop) -> None:
    result = palisade(workshop, "demo")
    assert result.exit_code == 0
    (built,) = workshop.built()
    assert result.stdout == f"demo {built / 'demo'}\n"
    listed = records(palisade(workshop, "--output", "json"))
    assert (listed["demo"]["state"], listed["demo"]["path"]) == ("built", str(built / "demo"))
    assert listed["demo"]["version"] == "v1.2.3"


def test_all_makes_every_program_ready(packaged: Workshop) -> None:
    found = packaged.put_on_path("packaged", "echo packaged 2.1")
    result = palisade(packaged, "--all", "--output", "json")
    (built,) = packaged.built()
    assert json.loads(result.stdout) == {"programs": {"demo": str(built / "demo"), "packaged": str(found)}}


def test_missing_packages_are_named_in_one_line_before_anything_is_built(packaged: Workshop) -> None:
    result = palisade(packaged, "--all")
    assert isinstance(result.exception, MachineError)
    assert result.exception.problem == "Programs are missing: packaged is not on PATH."
    assert result.exception.remedy == (
        "run as root: apt-get update && apt-get install --yes --no-install-recommends packaged-bin packaged-data"
    )
    assert not packaged.cache.exists()


def test_names_and_all_exclude_each_other(workshop: Workshop) -> None:
    result = palisade(workshop, "demo", "--all")
    assert result.exit_code == 2
    assert "NAMES and --all exclude each other" in result.stderr
