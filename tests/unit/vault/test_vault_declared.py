"""What is declared to be inside Vault, in a local fleet and elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from palisade.commands.access import application
from palisade.config import FleetConfiguration, load_configuration, parse_configuration
from palisade.project import Project
from palisade.vault.resources import Declared, load_declared
from palisade.vault.values import edge_certificate, values_of

PROJECT_ROOT = Path(__file__).resolve().parents[3]
OF_PEOPLE = ("identity/entity", "identity/group", "auth/people", "sys/auth/people")


def declared(environment: str) -> Declared:
    return load_declared(PROJECT_ROOT, values_of(load_configuration(Project(PROJECT_ROOT), environment)))


@pytest.mark.parametrize(("environment", "expected"), [("local", set(OF_PEOPLE)), ("prod", set())])
def test_an_operator_writes_people_and_groups_in_a_local_fleet_only(environment: str, expected: set[str]) -> None:
    paths = {one.path: one for one in declared(environment).resources}
    policy = paths["sys/policies/acl/palisade-operator"].fields["policy"]
    assert {path for path in OF_PEOPLE if f'path "{path}' in policy} == expected


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("cluster", [True, False])
def test_lists_of_logins_that_are_not_declared_are_somebody_elses(*, local: bool, cluster: bool) -> None:
    values = values_of(load_configuration(Project(PROJECT_ROOT), "local"))
    lists = {owned.path for owned in load_declared(PROJECT_ROOT, {**values, "local": local, "cluster": cluster}).owned}
    assert ("auth/people/users" in lists) is local
    assert ("auth/kubernetes/role" in lists) is cluster
    assert "auth/approle/role" in lists


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a user who has exported no APIs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PALISADE_PROJECT", str(tmp_path))
    return tmp_path


def on_hosts(*, edge: dict[str, Any] | None) -> FleetConfiguration:
    """A fleet whose registry runs without Kubernetes."""
    fleet = yaml.safe_load((PROJECT_ROOT / "Pulumi.molecule.yaml").read_text(encoding="utf-8"))
    document = {**fleet["config"]["palisade:fleet"], "vault": {"address": "https://vault.corp"}}
    return parse_configuration(document | ({"edge": edge} if edge else {}), environment="molecule", file="a test")


def test_registry_hosts_without_kubernetes_may_have_the_names_of_the_edge() -> None:
    configuration = on_hosts(edge={"names": ["api.corp", "api-2.corp"], "addresses": ["10.60.0.9"]})
    wanted = {"role": "edge", "dns_names": ["api.corp", "api-2.corp"], "addresses": ["10.60.0.9"]}
    assert edge_certificate(configuration) == wanted
    resources = {one.path: one.fields for one in load_declared(PROJECT_ROOT, values_of(configuration)).resources}
    hosts, edge = resources["pki/roles/hosts"], resources["pki/roles/edge"]
    assert edge["allowed_domains"] == ["registry-1", "registry-1.palisade.internal", "api.corp", "api-2.corp"]
    assert edge["allowed_ip_sans_cidr"] == ["10.78.0.21/32", "10.60.0.9/32"]
    assert not {"api.corp", "api-2.corp"} & set(hosts["allowed_domains"])
    assert {name for name in edge if edge[name] != hosts[name]} == {"allowed_domains", "allowed_ip_sans_cidr"}
    allowed = {name for name, fields in resources.items() if "pki/issue/edge" in fields.get("policy", "")}
    assert allowed == {"sys/policies/acl/palisade-host-registry"}


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_where_the_edge_is_in_pods_no_host_may_have_its_names(environment: str) -> None:
    configuration = load_configuration(Project(PROJECT_ROOT), environment)
    assert edge_certificate(configuration) == {"role": "hosts", "dns_names": [], "addresses": []}
    assert "pki/roles/edge" not in {one.path for one in declared(environment).resources}


def test_an_edge_that_nobody_has_named_has_the_certificate_of_a_host() -> None:
    assert edge_certificate(on_hosts(edge=None))["role"] == "hosts"


def test_the_playbook_is_told_what_the_certificate_of_the_edge_says_and_whether_apis_were_exported(state: Path) -> None:
    configuration = on_hosts(edge={"names": ["api.corp"]})
    fleet = yaml.safe_load((PROJECT_ROOT / "Pulumi.molecule.yaml").read_text(encoding="utf-8"))
    fleet["config"]["palisade:fleet"]["edge"] = {"names": ["api.corp"]}
    (state / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n", encoding="utf-8")
    (state / "Pulumi.molecule.yaml").write_text(yaml.safe_dump(fleet), encoding="utf-8")
    result = CliRunner().invoke(application, ["molecule", "--kind", "host", "--output", "json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    told = answer["certificate"]
    assert told == edge_certificate(configuration)
    assert (told["role"], told["dns_names"]) == ("edge", ["api.corp"])
    assert answer["apis"] == {"file": str(state / "palisade/fleets/molecule/apis.json"), "exported": False}
