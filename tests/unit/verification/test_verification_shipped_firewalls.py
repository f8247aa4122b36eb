"""The packet filters of the environments that are shipped, rendered from their own inventories and loaded by nft."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rendered_firewall import RESOLVER, ROOT, loaded, rendered

from palisade.config import fleet_of, load_configuration
from palisade.config_edge import LoadBalancer
from palisade.controls import Control, load_controls
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.inventory import to_ansible
from palisade.project import Project
from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet
from tests.check_modules import checks_in

pytestmark = pytest.mark.slow

UPSTREAMS, UPSTREAM_PORT = IPv4Network("172.30.0.0/24"), 8443
POD, NODE, OTHER_HOST = "100.64.0.9", "10.20.0.21", "10.20.0.99"
CLIENT, STRANGER, BALANCER, VIRTUAL = "10.1.2.3", "192.0.2.9", "10.20.0.33", "10.20.0.100"
PROBED = {"networks": ["10.20.0.32/29"], "health_check_port": 30256}
KINDS: dict[str, Any] = {
    "pods": {"networks": ["10.20.0.32/29"]},
    "service-address": {"addresses": [VIRTUAL], **PROBED},
    "host-addresses": {"addresses": [NODE, VIRTUAL]},
}
"""Load balancers that dev could have instead of its own."""


class Site:
    """An environment with services behind its APIs, and the rules of its hosts."""

    def __init__(self, environment: str, directory: Path) -> None:
        configuration = load_configuration(Project(root=ROOT), environment)
        networks = configuration.networks.model_copy(update={"upstreams": (UPSTREAMS,)})
        self.fleet = fleet_of(configuration.model_copy(update={"networks": networks}), (UPSTREAM_PORT,))
        self.rules = loaded(directory, json.loads(json.dumps(to_ansible(self.fleet))))

    def passes(self, host: str, hook: str, source: str, destination: str, port: int) -> bool:
        """Whether a new TCP connection gets through a host."""
        return accepts(self.rules[host], hook, source, destination, port)


def accepts(rules: RuleSet, hook: str, source: str, destination: str, port: int, asked: str | None = None) -> bool:
    """Whether a new TCP connection gets through; ``asked`` is what its sender asked for, before that was translated."""
    place, _, number = (asked or "").partition(":")
    packet = Packet(
        source=IPv4Address(source),
        destination=IPv4Address(destination),
        protocol="tcp",
        port=port,
        asked=(IPv4Address(place), int(number)) if asked else None,
    )
    return rules.decide(hook, packet).verdict == "accept"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Site]:
    return cache(lambda environment: Site(environment, tmp_path_factory.mktemp(environment)))


@pytest.mark.parametrize(
    ("environment", "host", "hook", "source", "destination", "port"),
    [
        ("dev", "registry-1", "output", NODE, "10.20.0.5", 6443),
        ("dev", "registry-1", "input", "10.20.0.5", NODE, 10250),
        ("dev", "registry-1", "forward", POD, "10.20.0.5", 6443),
        ("dev", "registry-1", "forward", "10.20.0.5", POD, 10250),
        ("dev", "registry-1", "forward", POD, "100.64.9.9", 8080),
        ("dev", "registry-1", "forward", POD, "172.30.0.7", UPSTREAM_PORT),
        ("dev", "vault-1", "input", NODE, "10.20.0.61", 8200),
        ("dev", "vault-1", "input", POD, "10.20.0.61", 8200),
        ("dev", "vault-1", "output", "10.20.0.61", "10.20.0.5", 6443),
        ("dev", "db-1", "input", NODE, "10.20.0.51", 5432),
        ("staging", "db-1", "input", "10.30.0.99", "10.30.0.51", 5432),
        ("staging", "db-1", "input", "10.30.0.99", "10.30.0.51", 6380),
        ("staging", "vault-1", "input", "10.30.0.99", "10.30.0.61", 8200),
        ("staging", "vault-1", "output", "10.30.0.61", "10.30.0.6", 443),
        ("prod", "db-1", "input", "10.40.0.99", "10.40.0.51", 5432),
        ("prod", "vault-1", "output", "10.40.0.61", "10.40.0.7", 443),
    ],
)
def test_nodes_and_pods_reach_what_the_fleet_needs(
    site: Callable[[str], Site], environment: str, host: str, hook: str, source: str, destination: str, port: int
) -> None:
    assert site(environment).passes(host, hook, source, destination, port)


@pytest.mark.parametrize(
    ("environment", "host", "hook", "source", "destination", "port"),
    [
        ("dev", "registry-1", "output", NODE, "10.20.0.6", 6443),
        ("dev", "registry-1", "output", NODE, "10.20.0.5", 5000),
        ("dev", "registry-1", "forward", POD, "172.30.0.7", 8444),
        ("dev", "registry-1", "forward", POD, "172.30.1.7", UPSTREAM_PORT),
        ("dev", "registry-1", "forward", OTHER_HOST, "172.30.0.7", UPSTREAM_PORT),
        ("dev", "vault-1", "input", OTHER_HOST, "10.20.0.61", 8200),
        ("dev", "db-1", "input", OTHER_HOST, "10.20.0.51", 5432),
        ("staging", "db-1", "input", "10.31.0.99", "10.30.0.51", 5432),
        ("staging", "vault-1", "input", "10.31.0.99", "10.30.0.61", 8200),
        ("local", "vault-1", "input", "10.244.0.9", "10.77.0.41", 8200),
        ("local", "db-1", "input", "10.77.0.99", "10.77.0.31", 5432),
    ],
)
def test_nobody_reaches_more(
    site: Callable[[str], Site], environment: str, host: str, hook: str, source: str, destination: str, port: int
) -> None:
    assert not site(environment).passes(host, hook, source, destination, port)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Fleet, RuleSet]]:
    """A registry node behind each kind of load balancer; rendered in one go."""
    fleets = {"node-ports": fleet_of(load_configuration(Project(root=ROOT), "dev"))}
    for kind, keys in KINDS.items():
        balancer = LoadBalancer(sends_to=kind, **keys).fleet()
        fleets[kind] = fleets["node-ports"].model_copy(update={"load_balancer": balancer})
    inventory = to_ansible(fleets["node-ports"])
    hosts = {kind: to_ansible(fleet)["_meta"]["hostvars"]["registry-1"] for kind, fleet in fleets.items()}
    inventory["_meta"]["hostvars"] = {
        **{name: inventory["_meta"]["hostvars"][name] for name in ("bastion-1", "db-1", "vault-1")},
        **{kind: {**hosts[kind], **to_ansible(fleet)["all"]["vars"]} for kind, fleet in fleets.items()},
    }
    inventory["registry"]["hosts"] = list(fleets)
    rules = loaded(tmp_path_factory.mktemp("kinds"), json.loads(json.dumps(inventory)))
    return {kind: (fleet, rules[kind]) for kind, fleet in fleets.items()}


@pytest.mark.parametrize(
    ("kind", "source", "port", "asked"),
    [
        ("node-ports", BALANCER, 443, f"{NODE}:30443"),
        ("node-ports", BALANCER, 8443, f"{NODE}:30843"),
        ("node-ports", CLIENT, 443, f"{NODE}:443"),
        ("pods", BALANCER, 443, None),
        ("pods", BALANCER, 8443, None),
        ("service-address", CLIENT, 443, f"{VIRTUAL}:443"),
        ("service-address", CLIENT, 8443, f"{VIRTUAL}:8443"),
        ("host-addresses", CLIENT, 443, f"{NODE}:443"),
        ("host-addresses", CLIENT, 443, f"{VIRTUAL}:443"),
    ],
)
def test_clients_reach_registry_pods_by_the_load_balancer_that_is_named(
    nodes: dict[str, tuple[Fleet, RuleSet]], kind: str, source: str, port: int, asked: str | None
) -> None:
    assert accepts(nodes[kind][1], "forward", source, POD, port, asked)


@pytest.mark.parametrize(
    ("kind", "source", "port", "asked"),
    [
        ("node-ports", CLIENT, 443, f"{NODE}:30443"),
        ("node-ports", BALANCER, 443, f"{NODE}:30444"),
        ("node-ports", BALANCER, 443, "10.20.0.22:30443"),
        ("node-ports", BALANCER, 8080, None),
        ("node-ports", BALANCER, 443, None),
        ("node-ports", STRANGER, 443, f"{NODE}:443"),
        ("pods", CLIENT, 443, None),
        ("pods", BALANCER, 8081, None),
        ("service-address", CLIENT, 443, "10.20.0.101:443"),
        ("service-address", CLIENT, 443, f"{VIRTUAL}:30443"),
        ("service-address", STRANGER, 443, f"{VIRTUAL}:443"),
        ("service-address", BALANCER, 443, None),
        ("host-addresses", CLIENT, 443, f"{VIRTUAL}:80"),
    ],
)
def test_nothing_else_reaches_pods(
    nodes: dict[str, tuple[Fleet, RuleSet]], kind: str, source: str, port: int, asked: str | None
) -> None:
    assert not accepts(nodes[kind][1], "forward", source, POD, port, asked)


def test_load_balancers_and_nobody_else_ask_which_nodes_have_a_registry_pod(
    nodes: dict[str, tuple[Fleet, RuleSet]],
) -> None:
    asked = {
        (kind, source, port)
        for kind, (_, rules) in nodes.items()
        for source in (BALANCER, CLIENT)
        for port in (30256, 10256)
        if accepts(rules, "input", source, NODE, port)
    }
    assert asked == {(kind, BALANCER, 30256) for kind in ("node-ports", "service-address")}


@pytest.mark.parametrize(
    ("environment", "sources"),
    [("dev", ["10.20.0.21/32", "10.20.0.22/32", "10.20.0.23/32"]), ("staging", ["10.30.0.0/24"])],
)
def test_postgresql_asks_those_for_a_password_who_reach_it(
    tmp_path: Path, environment: str, sources: list[str]
) -> None:
    inventory = to_ansible(fleet_of(load_configuration(Project(root=ROOT), environment)))
    files = rendered(tmp_path, json.loads(json.dumps(inventory)), role="postgresql", template="pg_hba.conf.j2")
    lines = [line.split() for line in files["db-1"].read_text(encoding="utf-8").splitlines()]
    assert [line[3] for line in lines if line[:1] == ["hostssl"]] == sources


class Stored:
    """Readings of a host whose rules are known."""

    def __init__(self, fleet: Fleet, target: FleetHost, rules: RuleSet) -> None:
        self.fleet, self.target, self._rules = fleet, target, rules

    def once(self, _: str, __: Callable[[], Any]) -> RuleSet:
        return self._rules

    def output(self, command: str) -> str:
        assert command == "cat /etc/resolv.conf"
        return f"nameserver {RESOLVER}\n"


def without_attempts(control: Control) -> Control:
    """The control, without the real connections: there is nobody to try them."""
    expected = {name: [] if name == "attempts" else value for name, value in control.expected.items()}
    return control.model_copy(update={"expected": expected})


TRAFFIC = ("test_inbound", "test_outbound", "test_forwarded")


def judged(fleet: Fleet, host: FleetHost, rules: RuleSet) -> int:
    """How many controls the rules of a host keep, each by its own check; fails at the first that they do not."""
    checks, count = checks_in("test_firewall"), 0
    for name in TRAFFIC:
        for control in load_controls(ROOT).verified_by(f"tests/verify/test_firewall.py::{name}"):
            if host.group in control.applies_to:
                others = {"network": None} if name == "test_inbound" else {}
                readings = Stored(fleet, host, rules)
                getattr(checks, name)(without_attempts(control), SimpleNamespace(), readings, **others)
                count += 1
    return count


@pytest.mark.parametrize("environment", ["dev", "local", "staging"])
def test_the_controls_expect_of_every_group_of_hosts_what_their_rules_do(
    site: Callable[[str], Site], environment: str
) -> None:
    found = site(environment)
    last = {host.group: host for host in found.fleet.hosts}.values()
    assert {judged(found.fleet, host, found.rules[host.name]) for host in last} == {len(TRAFFIC)}


@pytest.mark.parametrize("kind", ["pods", "service-address"])
def test_the_controls_expect_of_a_node_what_its_load_balancer_needs(
    nodes: dict[str, tuple[Fleet, RuleSet]], kind: str
) -> None:
    fleet, rules = nodes[kind]
    assert judged(fleet, fleet.in_group(HostGroup.REGISTRY)[0], rules) == len(TRAFFIC)
