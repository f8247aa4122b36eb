"""From configuration to fleet object to Ansible inventory: pure functions."""

from __future__ import annotations

import json

import pytest
import yaml
from configuration_samples import PROJECT_ROOT, changed
from jinja2 import Environment

from palisade.config import fleet_of, load_configuration, parse_configuration
from palisade.errors import ConfigurationError
from palisade.fleet import Fleet, HostGroup, parse_fleet
from palisade.inventory import to_ansible
from palisade.project import Project


def sound_fleet(*, ssh_config: str | None = None) -> Fleet:
    fleet = fleet_of(parse_configuration(changed(), environment="dev", file="Pulumi.dev.yaml"))
    return Fleet.model_validate({**fleet.model_dump(), "ssh_config": ssh_config})


@pytest.mark.parametrize("environment", ["dev", "local", "prod", "staging"])
def test_a_fleet_survives_being_saved_and_read(environment: str, checkout: Project) -> None:
    fleet = fleet_of(load_configuration(checkout, environment))
    assert parse_fleet(fleet.to_json(), where="saved") == fleet
    assert fleet.environment == environment


def test_the_fleet_has_every_host_as_it_is_configured() -> None:
    document = changed(("hosts.1.ssh_user", "operator"))
    host = fleet_of(parse_configuration(document, environment="dev", file="f")).in_group(HostGroup.REGISTRY)[0]
    assert (host.name, str(host.address), host.ssh_user, host.ssh_port) == (
        "registry-1",
        "10.20.0.21",
        "operator",
        22,
    )


def test_the_same_fleet_gives_the_same_bytes() -> None:
    assert json.dumps(to_ansible(sound_fleet())) == json.dumps(to_ansible(sound_fleet()))


def test_hosts_behind_the_bastion_are_reached_through_it() -> None:
    variables = to_ansible(sound_fleet())["_meta"]["hostvars"]
    assert "ansible_ssh_common_args" not in variables["bastion-1"]
    assert variables["registry-1"] == {
        "ansible_host": "10.20.0.21",
        "ansible_port": 22,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": "-o ProxyJump=palisade@10.20.0.10:22",
        "ansible_user": "palisade",
        "palisade_address": "10.20.0.21",
        "palisade_host_group": "registry",
    }


def test_hosts_of_a_local_fleet_are_reached_by_name_through_its_own_ssh_configuration() -> None:
    variables = to_ansible(sound_fleet(ssh_config="/state of/ssh_config"))["_meta"]["hostvars"]
    for name, address in (("bastion-1", "10.20.0.10"), ("db-1", "10.20.0.51")):
        assert variables[name]["ansible_host"] == name
        assert variables[name]["palisade_address"] == address
        assert variables[name]["ansible_ssh_common_args"] == "-F '/state of/ssh_config'"


def test_the_hosts_know_the_logins_of_people() -> None:
    document = changed(("hosts.1.logins", ["bob", "alice"]))
    fleet = fleet_of(parse_configuration(document, environment="dev", file="Pulumi.dev.yaml"))
    assert parse_fleet(fleet.to_json(), where="saved") == fleet
    variables = to_ansible(fleet)["_meta"]["hostvars"]
    assert variables["registry-1"]["palisade_logins"] == ["bob", "alice"]
    assert "palisade_logins" not in variables["db-1"]


def test_groups_and_variables_of_all_hosts() -> None:
    inventory = to_ansible(sound_fleet())
    assert inventory["registry"] == {"hosts": ["registry-1"]}
    assert inventory["all"] == {
        "children": ["bastion", "control", "database", "registry", "vault"],
        "vars": {
            "ansible_control_path_dir": "~/.ansible/cp/dev",
            "palisade_environment": "dev",
            "palisade_fleet_network": "10.20.0.0/24",
            "palisade_operator_networks": ["10.9.0.0/24"],
            "palisade_client_networks": ["10.0.0.0/8", "203.0.113.0/24"],
            "palisade_database_sources": ["10.20.0.0/24"],
            "palisade_sinks": [],
            "palisade_certificate_hours": 24,
        },
    }


def test_the_hosts_know_the_api_servers_and_the_services_behind_apis() -> None:
    servers = {"addresses": ["10.20.0.5", "10.20.0.6"], "port": 443}
    cluster = {"context": "dev", "provisioner": "existing", "zones": ["a"], "api_server": servers}
    document = changed(("local", {}), ("cluster", cluster), ("networks.upstreams", ["10.60.0.0/24"]))
    configuration = parse_configuration(document, environment="test", file="x")
    fleet = fleet_of(configuration, (443, 8080))
    assert parse_fleet(fleet.to_json(), where="saved") == fleet
    variables = to_ansible(fleet)["all"]["vars"]
    assert variables["palisade_api_servers"] == ["10.20.0.5", "10.20.0.6"]
    assert variables["palisade_api_server_port"] == 443
    assert variables["palisade_upstream_networks"] == ["10.60.0.0/24"]
    assert variables["palisade_upstream_ports"] == [443, 8080]
    assert fleet_of(configuration).upstreams is None, "no API is registered"


def test_a_fleet_that_was_saved_before_there_were_api_servers_in_it_is_read() -> None:
    document = json.loads(sound_fleet().to_json())
    for name in ("api_servers", "upstreams", "load_balancer", "database_sources", "certificate_hours"):
        del document[name]
    variables = to_ansible(parse_fleet(json.dumps(document), where="saved"))["all"]["vars"]
    assert variables["palisade_database_sources"] == []
    assert variables["palisade_certificate_hours"] == 24
    assert not {"palisade_api_servers", "palisade_upstream_networks"} & variables.keys()


def test_the_hosts_know_where_audit_records_go() -> None:
    search = {"hosts": ["search.example.com"], "networks": ["10.60.0.0/24"]}
    fleet = fleet_of(parse_configuration(changed(("audit.sinks", {"opensearch": search})), environment="dev", file="x"))
    (sink,) = to_ansible(fleet)["all"]["vars"]["palisade_sinks"]
    assert sink == {"name": "opensearch", "networks": ["10.60.0.0/24"], "port": 9200}


def test_the_agent_of_a_host_asks_for_as_many_hours_as_the_configuration_says() -> None:
    document = changed(("tls.certificate_ttl_hours", 6), ("tls.renew_before_hours", 3))
    variables = to_ansible(fleet_of(parse_configuration(document, environment="dev", file="x")))["all"]["vars"]
    role = yaml.safe_load((PROJECT_ROOT / "roles/vault_agent/defaults/main.yml").read_text(encoding="utf-8"))
    assert Environment(autoescape=True).from_string(role["vault_agent_hours"]).render(variables) == "6"


def local_cluster() -> Fleet:
    hosts = [
        *changed()["hosts"],
        {"name": "registry-2", "group": "registry", "address": "10.20.0.22"},
        {"name": "control-1", "group": "control", "address": "10.20.0.11"},
    ]
    networks = (("networks.pods", "10.244.0.0/16"), ("networks.services", "10.96.0.0/16"))
    document = changed(("local", {}), ("hosts", hosts), *networks)
    return fleet_of(parse_configuration(document, environment="test", file="Pulumi.test.yaml"))


def test_a_local_cluster_tells_every_host_its_networks_and_each_node_its_own_pods() -> None:
    inventory = to_ansible(local_cluster())
    assert inventory["control"] == {"hosts": ["control-1"]}
    assert inventory["all"]["vars"]["palisade_pod_network"] == "10.244.0.0/16"
    assert inventory["all"]["vars"]["palisade_service_network"] == "10.96.0.0/16"
    variables = inventory["_meta"]["hostvars"]
    assert {name: found.get("palisade_pod_subnet") for name, found in variables.items()} == {
        "bastion-1": None,
        "control-1": None,
        "db-1": None,
        "registry-1": "10.244.0.0/24",
        "registry-2": "10.244.1.0/24",
    }


def test_where_the_cluster_is_the_users_own_no_node_is_given_pods() -> None:
    document = changed(("networks.pods", "10.244.0.0/16"))
    inventory = to_ansible(fleet_of(parse_configuration(document, environment="dev", file="Pulumi.dev.yaml")))
    assert inventory["all"]["vars"]["palisade_pod_network"] == "10.244.0.0/16"
    assert "palisade_service_network" not in inventory["all"]["vars"]
    assert "palisade_pod_subnet" not in inventory["_meta"]["hostvars"]["registry-1"]


def test_a_fleet_of_an_earlier_palisade_is_refused_with_the_way_on() -> None:
    document = json.loads(sound_fleet().to_json()) | {"version": 1}
    with pytest.raises(ConfigurationError) as refused:
        parse_fleet(json.dumps(document), where="fleet.json")
    assert refused.value.problem == "The fleet object has version 1."
    assert (refused.value.where, refused.value.allowed) == ("fleet.json: version", "3")
    assert (refused.value.remedy or "").startswith("let this palisade write it again (pulumi up, or palisade local up)")


def test_a_fleet_without_bastion_says_what_is_missing() -> None:
    fleet = sound_fleet()
    headless = fleet.model_copy(update={"hosts": fleet.hosts[1:]})
    with pytest.raises(ConfigurationError, match="only reached through a bastion, and the fleet has none"):
        to_ansible(headless)
