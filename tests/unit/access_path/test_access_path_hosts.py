"""Registry hosts without Kubernetes: what their playbook refuses, and what it waits for before it goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from palisade.access_path.model import HOST_PORTS, AccessPath, Neighbours
from palisade.access_path.rendering import render_envoy
from palisade.config_access import Access, Tokens
from palisade.config_values import TlsVersion
from palisade.registry.model import Apis
from tests.unit.verification.ansible_play import ROOT, play

pytestmark = pytest.mark.slow

TOKENS = Tokens(issuer="https://login.example", jwks_uri="https://login.example/keys")
FINANCE = {
    "name": "finance",
    "version": "1.0.0",
    "state": "ENABLED",
    "owner": "tests",
    "git_commit": "0" * 40,
    "upstream": {"host": "10.0.0.9", "port": 8080},
    "operations": [{"method": "GET", "path": "/v1/records/{id}", "roles": ["any"]}],
}
READ, REFUSE = "Read how many operations of APIs each host routes", "Refuse to take every API off the air"
PLAYS = yaml.safe_load((ROOT / "playbooks/registry_standalone.yml").read_text(encoding="utf-8"))


def routes(*apis: dict[str, Any]) -> str:
    """The routes of a host, as they are rendered."""
    path = AccessPath("test", TlsVersion.TLS_1_2, TOKENS, Access(), Apis.model_validate({"apis": apis}))
    return render_envoy(path)["routes.yaml"]


def task(name: str, **variables: object) -> dict[str, Any]:
    """A task of the first play, with further variables."""
    (found,) = (one for one in PLAYS[0]["tasks"] if one["name"] == name)
    return {**found, "vars": {**found.get("vars", {}), **variables}}


def told(*, exported: bool) -> dict[str, str]:
    """What ``palisade access files`` says of ``apis.json``."""
    return {"stdout": json.dumps({"apis": {"file": "/state/apis.json", "exported": exported}})}


@pytest.fixture
def hosts(tmp_path: Path) -> dict[str, Any]:
    """A play on a host that routes an API and on a bare one; beside its routes are some without any API."""
    (tmp_path / "serving").write_text(routes(FINANCE), encoding="utf-8")
    (tmp_path / "empty").write_text(routes(), encoding="utf-8")
    variables = {
        "registry_standalone_routes": f"{tmp_path}/{{{{ inventory_hostname }}}}",
        "registry_standalone_files": told(exported=False),
        "palisade_environment": "prod",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    }
    return {"hosts": "all", "vars": variables}


def test_a_controller_without_the_apis_takes_none_off_the_air(tmp_path: Path, hosts: dict[str, Any]) -> None:
    late = {"ansible.builtin.file": {"path": f"{tmp_path}/touched-{{{{ inventory_hostname }}}}", "state": "touch"}}
    with pytest.raises(AssertionError) as refused:
        play(tmp_path, {**hosts, "tasks": [task(READ), task(REFUSE), late]}, "--check", inventory="bare,serving,")
    said = " ".join(str(refused.value).split())
    assert "serving has operations of APIs in" in said
    for part in ("/state/apis.json is not there", "registry export prod", "registry_standalone_without_apis=true"):
        assert part in said
    assert "changed=1" not in said, "a host was touched"


def test_a_first_run_exported_apis_and_apis_that_are_not_meant_go_on(tmp_path: Path, hosts: dict[str, Any]) -> None:
    none = f"{tmp_path}/{{{{ 'empty' if inventory_hostname == 'serving' else 'not-there' }}}}"
    tasks = [
        *(task(READ, registry_standalone_routes=none), task(REFUSE)),
        task(READ),
        task(REFUSE, registry_standalone_files=told(exported=True)),
        task(REFUSE, registry_standalone_without_apis="true"),
    ]
    play(tmp_path, {**hosts, "tasks": tasks}, inventory="bare,serving,")


def test_hosts_are_changed_one_after_the_other_and_none_after_a_failure() -> None:
    first, second = PLAYS
    assert "serial" not in first, "nothing is changed before every host was looked at"
    assert (second["serial"], second["max_fail_percentage"]) == ("{{ registry_standalone_at_once | default(1) }}", 0)


@pytest.mark.parametrize(("role", "file"), [("envoy", "envoy"), ("opa", "opa"), ("registry_service", "unit")])
def test_a_role_ends_when_its_unit_serves(role: str, file: str) -> None:
    *_, start, wait = yaml.safe_load((ROOT / f"roles/{role}/tasks/{file}.yml").read_text(encoding="utf-8"))
    assert start["ansible.builtin.import_role"] == {"name": "managed_unit"}
    assert wait["until"] == f"{wait['register']}.status == 200"
    assert wait["ansible.builtin.uri"]["url"] == f"{{{{ {role}_health }}}}"
    assert wait["when"] == "not ansible_check_mode"


def test_what_is_asked_is_where_the_units_answer() -> None:
    asked = {}
    for role in ("envoy", "opa", "registry_service"):
        for kind in ("defaults", "vars"):
            asked |= yaml.safe_load((ROOT / f"roles/{role}/{kind}/main.yml").read_text(encoding="utf-8"))
    beside = Neighbours()
    opa, registry = beside.policy_health, beside.registry_health
    assert asked["opa_health_address"] == f"{opa.host}:{opa.port}"
    assert asked["opa_health"] == f"http://{{{{ opa_health_address }}}}{beside.policy_health_path}"
    assert asked["registry_service_health"] == f"http://{registry.host}:{registry.port}{beside.registry_health_path}"
    assert asked["envoy_health"] == f"http://{HOST_PORTS.health_address}:{HOST_PORTS.health}/envoy"
