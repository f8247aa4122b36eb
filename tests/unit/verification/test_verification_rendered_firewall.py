"""The firewall's template, rendered by Ansible and loaded by nft in a namespace: where pods of a node may connect."""

from __future__ import annotations

import json
import os
import subprocess
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import yaml

from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet

ROOT = Path(__file__).parents[3]
OWN_POD, OTHER_HOST = IPv4Address("10.244.0.9"), IPv4Address("10.0.1.9")
SEARCH = {"name": "opensearch", "networks": ["10.60.0.0/24"], "port": 9200}
BUCKET = {"name": "s3", "networks": ["10.70.0.0/24", "10.71.0.0/24"], "port": 443}
FLEET: dict[str, Any] = {
    "palisade_address": "10.0.1.1",
    "palisade_operator_networks": ["10.0.9.0/24"],
    "palisade_client_networks": ["10.0.0.0/8"],
    "palisade_fleet_network": "10.0.1.0/24",
    "palisade_pod_network": "10.244.0.0/16",
    "palisade_pod_subnet": "10.244.0.0/24",
    "firewall_resolvers": ["10.0.1.53"],
}


def loaded(directory: Path, group: str, **variables: Any) -> RuleSet:
    """The rules of a host as the kernel took them."""
    rules, play = directory / "rules.nft", directory / "play.yml"
    files = [str(ROOT / f"roles/firewall/{kind}/main.yml") for kind in ("defaults", "vars")]
    template = {"src": str(ROOT / "templates/firewall/firewall.nft.j2"), "dest": str(rules), "mode": "0600"}
    tasks = [{"ansible.builtin.template": {**template, "lstrip_blocks": True}}]
    given = {**FLEET, "palisade_host_group": group, **variables}
    document = {"hosts": "localhost", "gather_facts": False, "vars_files": files, "vars": given, "tasks": tasks}
    play.write_text(yaml.safe_dump([document]), encoding="utf-8")
    command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(play)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    played = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stdout + played.stderr
    load = f"nft --file {rules} && nft --json list table inet palisade"
    isolated = ["unshare", "--map-root-user", "--net", "sh", "-c", load]
    listed = subprocess.run(isolated, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    return RuleSet.parse(json.loads(listed.stdout), family="inet", table="palisade")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    return loaded(tmp_path_factory.mktemp("node"), "registry", palisade_sinks=[SEARCH, BUCKET])


@pytest.mark.parametrize(
    ("source", "destination", "port", "verdict"),
    [
        (OWN_POD, "10.60.0.7", 9200, "accept"),
        (OWN_POD, "10.71.0.7", 443, "accept"),
        (OWN_POD, "10.60.0.7", 443, "drop"),
        (OWN_POD, "10.71.0.7", 9200, "drop"),
        (OWN_POD, "10.61.0.7", 9200, "drop"),
        (OTHER_HOST, "10.60.0.7", 9200, "drop"),
    ],
    ids=["search", "bucket", "port of another", "port of the other", "beside the network", "not a pod"],
)
def test_pods_of_a_node_reach_each_sink_on_its_own_port(
    node: RuleSet, source: IPv4Address, destination: str, port: int, verdict: str
) -> None:
    packet = Packet(source=source, destination=IPv4Address(destination), protocol="tcp", port=port)
    assert node.decide("forward", packet).verdict == verdict


def test_without_sinks_and_on_other_hosts_nothing_more_passes(tmp_path: Path) -> None:
    packet = Packet(source=OWN_POD, destination=IPv4Address("10.60.0.7"), protocol="tcp", port=9200)
    for group, sinks in (("registry", []), ("database", [SEARCH])):
        assert loaded(tmp_path, group, palisade_sinks=sinks).decide("forward", packet).verdict == "drop"
