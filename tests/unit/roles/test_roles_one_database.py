"""Two database hosts are refused by whoever would use them: nothing copies from one server to the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = {
    "database": {"hosts": {"db-1": {"palisade_address": "10.0.0.1"}, "db-2": {"palisade_address": "10.0.0.2"}}},
    "registry": {"hosts": {"registry-1": {"palisade_address": "10.0.0.3"}}},
}
REGISTRY = {"registry_service_environment": "prod", "registry_service_archive": __file__}


@pytest.mark.parametrize(
    ("role", "host", "variables", "message"),
    [
        ("postgresql", "db-1", {}, "The group database has 2 hosts; allowed is 1"),
        ("redis", "db-1", {}, "The group database has 2 hosts; allowed is 1"),
        ("registry_service", "registry-1", REGISTRY, "registry_service_database is 10.0.0.1, 10.0.0.2 and"),
    ],
)
def test_a_second_database_host_is_refused(
    tmp_path: Path, role: str, host: str, variables: dict[str, str], message: str
) -> None:
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(INVENTORY), encoding="utf-8")
    preflight = {"ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}}
    play = {"hosts": host, "gather_facts": False, "tasks": [preflight]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory=hosts.yml", "play.yml"]
    refused = subprocess.run(
        [*command, "--extra-vars", json.dumps(variables)],
        cwd=tmp_path,
        env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROOT / "roles"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
