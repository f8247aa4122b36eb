"""The inventory from the output of a stack that the real pulumi has built; what is missing is said, never made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from stack_project import copy_checkout

from palisade.config import fleet_of, load_configuration
from palisade.inventory import to_ansible
from palisade.project import Project

ENVIRONMENT = "dev"
INVENTORY = (f"inventories/{ENVIRONMENT}/fleet.py", "--list")
BEFORE = "before that, palisade inventory dev --save fleet.json writes what it will export (docs/real-environment.md)"
"""How an environment is begun whose stack does not exist, or was never built."""


@dataclass(frozen=True)
class Checkout:
    """A checkout with the environment ``dev``: hosts, no cluster, and its state in files."""

    root: Path
    variables: Mapping[str, str]

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def change_state(self, **values: str | None) -> None:
        path = self.root / f"Pulumi.{ENVIRONMENT}.yaml"
        document = yaml.safe_load(path.read_text())
        fleet = document["config"]["palisade:fleet"]
        fleet.pop("cluster", None)
        fleet["state"] = {name: value for name, value in {**fleet["state"], **values}.items() if value is not None}
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    @cached_property
    def for_pulumi(self) -> dict[str, str]:
        """The variables that ``palisade environment`` sets."""
        said = self.run("palisade", "environment", ENVIRONMENT, "--output", "json")
        variables: dict[str, str] = json.loads(said.stdout)["set"]
        return variables

    def pulumi(self, *arguments: str) -> str:
        completed = self.run("pulumi", *arguments, "--stack", ENVIRONMENT, **self.for_pulumi)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout


def new_checkout(place: Path) -> Checkout:
    passphrase = place / "passphrase"
    passphrase.write_text("of the team\n")
    state = place / "state"
    state.mkdir()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PALISADE_"))}
    variables |= {
        "XDG_STATE_HOME": str(place / "user"),
        "PULUMI_HOME": str(place / "pulumi"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
    }
    checkout = Checkout(copy_checkout(place / "checkout"), variables)
    checkout.change_state(backend=state.as_uri(), secrets_provider="passphrase")
    return checkout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose stack is built."""
    checkout = new_checkout(tmp_path_factory.mktemp("built"))
    for command in (("init", ENVIRONMENT), ("up", ENVIRONMENT, "--yes", "--skip-preview")):
        done = checkout.run("palisade", "stack", *command)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return checkout


def inventory(checkout: Checkout, **variables: str) -> Any:
    listed = checkout.run(*INVENTORY, **variables)
    assert listed.returncode == 0, listed.stderr
    return json.loads(listed.stdout)


def refused(checkout: Checkout, **variables: str) -> tuple[int, dict[str, str]]:
    """The exit code and the labelled lines of the error."""
    said = checkout.run(*INVENTORY, **variables)
    assert said.stdout == "", "Ansible must not get half an inventory"
    return said.returncode, dict(line.split(": ", 1) for line in said.stderr.splitlines() if ": " in line)


def test_the_inventory_is_the_fleet_that_the_stack_exports(built: Checkout) -> None:
    expected = to_ansible(fleet_of(load_configuration(Project(built.root), ENVIRONMENT)))
    assert inventory(built) == json.loads(json.dumps(expected))
    listed = built.run("ansible-inventory", "-i", f"inventories/{ENVIRONMENT}", "--list")
    assert json.loads(listed.stdout)["registry"]["hosts"] == expected["registry"]["hosts"], listed.stderr


def test_a_saved_output_and_the_configuration_give_the_same_without_pulumi(built: Checkout, tmp_path: Path) -> None:
    saved = tmp_path / "fleet.json"
    saved.write_text(built.pulumi("stack", "output", "fleet", "--json"))
    begun = tmp_path / "begun.json"
    elsewhere = without_pulumi(built, tmp_path)
    assert elsewhere.run("palisade", "inventory", ENVIRONMENT, "--save", str(begun)).returncode == 0
    for file in (saved, begun):
        assert inventory(elsewhere, PALISADE_FLEET_FILE=str(file)) == inventory(built)


def test_an_output_of_an_earlier_version_is_refused(built: Checkout, tmp_path: Path) -> None:
    exported = built.pulumi("stack", "export")
    state = json.loads(exported)
    (stack,) = (one for one in state["deployment"]["resources"] if one["type"] == "pulumi:pulumi:Stack")
    stack["outputs"]["fleet"]["version"] = 1
    earlier, now = tmp_path / "earlier.json", tmp_path / "now.json"
    earlier.write_text(json.dumps(state))
    now.write_text(exported)
    built.pulumi("stack", "import", "--file", str(earlier))
    try:
        code, said = refused(built)
    finally:
        built.pulumi("stack", "import", "--file", str(now))
    assert code == 3
    assert said["error"] == "The fleet object has version 1."
    assert said["where"] == "pulumi stack output fleet --json --stack dev: version"
    assert said["allowed"] == "3"
    assert "pulumi up" in said["what to do"]


def test_a_missing_stack_is_not_made(tmp_path: Path) -> None:
    checkout = new_checkout(tmp_path)
    code, said = refused(checkout)
    assert code == 5
    assert said["error"] == "The environment dev has no stack yet."
    assert said["where"] == "pulumi stack output fleet --json --stack dev"
    assert said["what to do"] == f"make it: palisade stack init dev, then palisade stack up dev; {BEFORE}"
    assert not list((tmp_path / "state").rglob("*dev*"))


def test_a_stack_that_was_never_built_has_no_fleet(tmp_path: Path) -> None:
    checkout = new_checkout(tmp_path)
    assert checkout.run("palisade", "stack", "init", ENVIRONMENT).returncode == 0
    code, said = refused(checkout)
    assert (code, said["error"]) == (5, "The stack dev has no fleet output.")
    assert said["what to do"] == f"palisade stack up dev; {BEFORE}"


def test_a_missing_login_is_said(tmp_path: Path) -> None:
    checkout = new_checkout(tmp_path)
    checkout.change_state(backend=None)
    code, said = refused(checkout)
    assert (code, said["error"]) == (5, "pulumi is not logged in to the place where the stack's state is.")
    assert said["what to do"].startswith("pulumi login")


def test_a_state_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    checkout = new_checkout(tmp_path)
    checkout.change_state(backend="file:///gone/for/good")
    code, said = refused(checkout)
    assert code == 5
    assert said["error"] == "The place where the stack's state is cannot be opened: file:///gone/for/good."


def test_a_missing_pulumi_is_said(tmp_path: Path) -> None:
    code, said = refused(without_pulumi(new_checkout(tmp_path), tmp_path))
    assert (code, said["error"]) == (4, "pulumi is not there, so the stack cannot be read.")
    assert "palisade tools pulumi" in said["what to do"]


def without_pulumi(checkout: Checkout, place: Path) -> Checkout:
    """The same on a machine on which pulumi was neither installed nor built."""
    programs = place / "programs"
    programs.mkdir()
    (programs / "palisade").symlink_to(str(shutil.which("palisade")))
    path = os.pathsep.join([str(programs), "/usr/bin", "/bin"])
    return replace(
        checkout, variables={**checkout.variables, "PATH": path, "XDG_CACHE_HOME": str(place / "empty cache")}
    )
