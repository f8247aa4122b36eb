"""What stands in front of the registry nodes: what is refused, and what hosts and inventory know of the rest."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import pytest
from configuration_samples import REMOVED, WriteProject, changed

from palisade.config import fleet_of, load_configuration, parse_configuration
from palisade.errors import ConfigurationError
from palisade.fleet import parse_fleet
from palisade.inventory import to_ansible

NODE_PORTS: dict[str, Any] = {
    "sends_to": "node-ports",
    "networks": ["10.20.8.0/28"],
    "node_ports": {"apis": 30443, "management": 30843},
    "health_check_port": 30256,
}
PODS = {"sends_to": "pods", "networks": ["10.20.8.0/28"]}
SERVICE = {"sends_to": "service-address", "addresses": ["10.20.0.100"]}
HOSTS = {"sends_to": "host-addresses", "addresses": ["10.20.0.21", "10.20.0.100"]}


class Bad(NamedTuple):
    """A change of a sound load balancer that is refused, and what the error must say."""

    sound: dict[str, Any]
    path: str
    value: Any
    allowed: str
    where: str = ""
    """The path that the error names, if it is not the path that was changed."""


OF_NODE_PORTS = "with node-ports: networks, node_ports, health_check_port"
BAD = [
    Bad(NODE_PORTS, "sends_to", "nodes", '"node-ports", "pods", "service-address", "host-addresses"'),
    Bad(NODE_PORTS, "sends_to", REMOVED, '"node-ports", "pods", "service-address", "host-addresses"'),
    Bad(NODE_PORTS, "networks", REMOVED, OF_NODE_PORTS, where="edge.load_balancer"),
    Bad(NODE_PORTS, "networks", ["10.20.8.1/28"], "an IPv4 network", where="edge.load_balancer.networks.0"),
    Bad(NODE_PORTS, "networks", ["192.0.2.0/24"], "a private network", where="edge.load_balancer.networks.0"),
    Bad(NODE_PORTS, "node_ports", REMOVED, OF_NODE_PORTS, where="edge.load_balancer"),
    Bad(NODE_PORTS, "node_ports.apis", 443, "a node port from 30,000 to 32,767"),
    Bad(NODE_PORTS, "node_ports.management", REMOVED, "a node port from 30,000 to 32,767"),
    Bad(NODE_PORTS, "node_ports.management", 30443, "a port of its own", where="edge.load_balancer"),
    Bad(NODE_PORTS, "node_ports.http", 30080, "apis, management"),
    Bad(NODE_PORTS, "health_check_port", 30843, "a port of its own", where="edge.load_balancer"),
    Bad(NODE_PORTS, "health_check_port", 10256, "a node port from 30,000 to 32,767"),
    Bad(NODE_PORTS, "addresses", ["10.20.0.100"], OF_NODE_PORTS),
    Bad(PODS, "networks", REMOVED, "with pods: networks", where="edge.load_balancer"),
    Bad(PODS, "health_check_port", 30256, "with pods: networks"),
    Bad(PODS, "networks", ["0.0.0.0/0"], "a private network", where="edge.load_balancer.networks.0"),
    Bad(SERVICE, "addresses", ["10.20.0.100", "10.20.0.101"], "one address", where="edge.load_balancer.addresses.1"),
    Bad(SERVICE, "networks", ["10.20.8.0/28"], "both or neither", where="edge.load_balancer"),
    Bad(SERVICE, "health_check_port", 30256, "both or neither", where="edge.load_balancer"),
    Bad(HOSTS, "addresses", REMOVED, "with host-addresses: addresses", where="edge.load_balancer"),
    Bad(HOSTS, "addresses", ["vip.corp"], "an IPv4 address", where="edge.load_balancer.addresses.0"),
    Bad(HOSTS, "node_ports", NODE_PORTS["node_ports"], "with host-addresses: addresses"),
]
INTERNAL = (("exposure", "internal"), ("networks.clients", ["10.0.0.0/8"]))


def _name(bad: Bad) -> str:
    return f"{bad.sound['sends_to']}-{bad.path}={bad.value}"


@pytest.mark.parametrize("bad", BAD, ids=map(_name, BAD))
def test_a_load_balancer_that_nobody_could_use_is_refused(bad: Bad, write_project: WriteProject) -> None:
    path = f"edge.load_balancer.{bad.path}"
    document = changed(*INTERNAL, ("edge.load_balancer", copy.deepcopy(bad.sound)), (path, bad.value))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(document), "dev")
    said = str(refused.value)
    assert "values are refused" not in said, "one mistake is one problem"
    assert f"fleet.{bad.where or path} (line " in said
    assert bad.allowed in said


def test_probes_of_a_cloud_come_from_anywhere_and_reach_no_pod() -> None:
    probed = {**SERVICE, "networks": ["35.191.0.0/16"], "health_check_port": 30256}
    document = changed(*INTERNAL, ("edge.load_balancer", probed))
    edge = parse_configuration(document, environment="dev", file="x").edge
    assert edge is not None
    assert edge.load_balancer is not None
    assert edge.load_balancer.senders == ()


@pytest.mark.parametrize(
    ("balancer", "known"),
    [
        (NODE_PORTS, {"networks": ["10.20.8.0/28"], "node": [30443, 30843], "health_check": [30256]}),
        (PODS, {"networks": ["10.20.8.0/28"], "pod": [443, 8443]}),
        (SERVICE, {"addresses": ["10.20.0.100"]}),
        (HOSTS, {"addresses": ["10.20.0.21", "10.20.0.100"]}),
    ],
)
def test_the_hosts_know_what_stands_in_front_of_them(balancer: dict[str, Any], known: dict[str, Any]) -> None:
    document = changed(*INTERNAL, ("edge.load_balancer", balancer))
    fleet = fleet_of(parse_configuration(document, environment="dev", file="x"))
    assert parse_fleet(fleet.to_json(), where="saved") == fleet
    variables = to_ansible(fleet)["all"]["vars"]
    found = {name: variables[f"palisade_load_balancer_{name}"] for name in ("networks", "addresses")}
    found |= {name: variables[f"palisade_{name}_ports"] for name in ("node", "pod", "health_check")}
    assert found == {"networks": [], "addresses": [], "node": [], "pod": [], "health_check": [], **known}
