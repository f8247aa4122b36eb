"""Two database hosts are refused by whoever would use them: nothing copies from one server to the other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.unit.verification.ansible_play import played

pytestmark = pytest.mark.slow

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
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(yaml.safe_dump(INVENTORY), encoding="utf-8")
    preflight = {"ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}}
    document = {"hosts": host, "tasks": [preflight]}
    refused = played(tmp_path, document, "--extra-vars", json.dumps(variables), inventory=str(hosts))
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
