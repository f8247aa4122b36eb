"""The executables that Ansible starts: ``inventories/<environment>/fleet.py``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from configuration_samples import PROJECT_ROOT

from palisade.config import fleet_of, load_configuration
from palisade.inventory import to_ansible
from palisade.project import Project

pytestmark = pytest.mark.slow

INVENTORIES = PROJECT_ROOT / "inventories"
ENVIRONMENTS = ["dev", "local", "prod", "staging"]
BARE_PATH = "/usr/bin:/bin"
"""No environment of the project is active."""


def saved_fleet(environment: str, directory: Path) -> Path:
    path = directory / "fleet.json"
    path.write_text(fleet_of(load_configuration(Project(root=PROJECT_ROOT), environment)).to_json())
    return path


def test_every_environment_has_the_same_executable() -> None:
    scripts = [INVENTORIES / environment / "fleet.py" for environment in ENVIRONMENTS]
    assert len({script.read_bytes() for script in scripts}) == 1
    assert all(os.access(script, os.X_OK) for script in scripts)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_ansible_reads_the_inventory_without_an_active_environment(environment: str, tmp_path: Path) -> None:
    variables = {
        "PALISADE_FLEET_FILE": str(saved_fleet(environment, tmp_path)),
        "PATH": BARE_PATH,
        "HOME": str(tmp_path),
    }
    program = Path(sys.executable).parent / "ansible-inventory"
    listed = subprocess.run(
        [program, "-i", INVENTORIES / environment, "--list"],
        env=variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    expected = to_ansible(fleet_of(load_configuration(Project(root=PROJECT_ROOT), environment)))
    inventory = json.loads(listed.stdout)
    for group in ("bastion", "control", "registry", "database", "vault"):
        listed_hosts = inventory.get(group, {"hosts": []})["hosts"]  # Ansible lists no empty group
        assert listed_hosts == expected[group]["hosts"]
    given = INVENTORIES / environment / "group_vars/all.yml"
    own = yaml.safe_load(given.read_text(encoding="utf-8")) if given.exists() else {}
    for host, host_variables in expected["_meta"]["hostvars"].items():
        assert inventory["_meta"]["hostvars"][host] == {**expected["all"]["vars"], **own, **host_variables}


def test_a_fleet_that_is_nowhere_is_explained_and_gives_no_host(tmp_path: Path) -> None:
    variables = {"PATH": BARE_PATH, "HOME": str(tmp_path)}
    ran = subprocess.run(
        [INVENTORIES / "local" / "fleet.py", "--list"], env=variables, capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert ran.stdout == ""
    assert "what to do: palisade local up --environment local" in ran.stderr


def test_an_installation_that_is_missing_is_explained(tmp_path: Path) -> None:
    script = tmp_path / "inventories" / "dev" / "fleet.py"
    script.parent.mkdir(parents=True)
    script.write_bytes((INVENTORIES / "dev" / "fleet.py").read_bytes())
    ran = subprocess.run(
        [sys.executable, script, "--list"], env={"PATH": BARE_PATH}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == f"error: palisade is not installed\nwhat to do: run `uv sync --frozen` in {tmp_path}\n"
