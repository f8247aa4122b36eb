"""The commands on the pages for users exist: the command line itself parses them, and the files they name are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from palisade.__main__ import application
from palisade.project import Project

ROOT = Path(__file__).resolve().parents[3]
REAL_ENVIRONMENT = ROOT / "docs" / "real-environment.md"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
PROMPTED = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
INLINE = re.compile(r"`palisade ([a-z][^`]*)`")
NESTED = re.compile(r"\$\(([^()]+)\)")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
ENVIRONMENT = re.compile(r"\$?\bENV\b(?!=)")
"""What stands on pages for the name of an environment."""
OF_OTHERS = {
    "bao",
    "cat",
    "cp",
    "date",
    "export",
    "install",
    "kubectl",
    "mkdir",
    "openssl",
    "skopeo",
    "source",
    "unset",
}
"""Programs whose options are not looked at."""
OF_PULUMI = {"--yes", "--skip-preview", "--diff", "--expect-no-changes", "--refresh", "--preview-only", "--target"}


def prompted(page: Path) -> Iterator[str]:
    """Each command line behind a prompt, and what stands in ``$(...)`` there."""
    for found in PROMPTED.findall(page.read_text(encoding="utf-8")):
        line = ENVIRONMENT.sub("dev", found.replace("\\\n", " "))
        yield line
        yield from NESTED.findall(line)


def find(line: str) -> None:
    """Look for the program, for what it is told to do and for the files that it is told to read.

    Raises:
        Exception: one of them is not there.
    """
    words = shlex.split(line, comments=True)
    while words and ASSIGNMENT.fullmatch(words[0]):
        words.pop(0)
    program, *arguments = words or [""]
    if program == "palisade":
        parse(arguments)
    elif program in {"ansible", "ansible-playbook"}:
        inventory = arguments[arguments.index("-i") + 1]
        for name in (inventory, *(word for word in arguments if word.endswith(".yml"))):
            assert (ROOT / name).exists(), f"there is no {name}"
    elif program == "make":
        rules = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(f"\n{target}:" in rules for target in arguments), f"make knows none of {arguments}"
    else:
        assert program in {"", *OF_OTHERS}, f"{program} is not known"


def parse(words: Sequence[str]) -> None:
    """Have the command line parse them, and do nothing."""
    command, rest = named_by(words)
    assert not hasattr(command, "commands"), "it ends before it has named a command"
    context = command.make_context("palisade", rest)
    options = {word for word in context.args if word.startswith("-")}
    assert options <= OF_PULUMI, f"pulumi gets {options}"
    environment = context.params.get("environment")
    assert environment in {None, *Project(ROOT).environments()}, f"there is no environment {environment}"


def named_by(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that the first of these words name, and the other words."""
    command: Any = typer.main.get_command(application)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        name = rest.pop(0)
        assert name in command.commands, f"there is no {name}, only {', '.join(command.commands)}"
        command = command.commands[name]
    return command, rest


@pytest.mark.parametrize("page", [page for page in PAGES if any(prompted(page))], ids=lambda page: page.stem)
def test_every_command_behind_a_prompt_exists(page: Path) -> None:
    wrong = []
    for line in prompted(page):
        try:
            find(line)
        except Exception as error:  # noqa: BLE001 - whatever the parser raises, all lines are looked at
            wrong.append(f"{line}: {error}")
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_in_a_text_exists_with_its_options(page: Path) -> None:
    for line in INLINE.findall(page.read_text(encoding="utf-8")):
        words = line.split()
        command, rest = named_by(words if "|" not in line else words[:1])
        known = {option for parameter in command.params for option in parameter.opts} | OF_PULUMI | {"--help"}
        own = rest[: rest.index("--")] if "--" in rest else rest
        options = {word.partition("=")[0] for word in own if word.startswith("--")}
        assert hasattr(command, "commands") or options <= known, line


@pytest.mark.parametrize(
    "line",
    [
        "palisade inventory dev --write fleet.json",
        "palisade vault aply dev",
        "palisade stack",
        "palisade verify",
        "palisade verify production",
        "palisade stack up dev --no-questions",
        "ansible-playbook -i inventories/production harden.yml",
        "ansible-playbook -i inventories/dev playbooks/database.yml",
        "make everything",
        "terraform apply",
    ],
)
def test_one_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises(Exception, match=r"\S"):
        find(line)


def test_a_real_environment_is_begun_in_an_order_that_can_succeed() -> None:
    steps = (
        "palisade inventory dev --save",
        "ansible-playbook -i inventories/dev harden.yml",
        "ansible-playbook -i inventories/dev playbooks/vault.yml",
        "palisade vault apply dev",
        "ansible-playbook -i inventories/dev playbooks/data.yml",
        "palisade images pin dev",
        "palisade secrets apply dev",
        "palisade bundle build dev",
        "palisade stack init dev",
        "palisade stack up dev",
        "unset PALISADE_FLEET_FILE",
        "palisade verify dev",
    )
    lines = list(prompted(REAL_ENVIRONMENT))
    at = [next(place for place, line in enumerate(lines) if line.startswith(step)) for step in steps]
    assert at == sorted(at)
