"""The firewall's template, rendered by Ansible and loaded by nft in a namespace: where pods of a node may connect."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import rendered_firewall

from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet

pytestmark = pytest.mark.slow

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
}


def loaded(directory: Path, group: str, **variables: Any) -> RuleSet:
    """The rules of a host as the kernel took them."""
    host = {**FLEET, "palisade_host_group": group, **variables}
    return rendered_firewall.loaded(directory, {"all": {"hosts": ["host"]}, "_meta": {"hostvars": {"host": host}}})[
        "host"
    ]


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
