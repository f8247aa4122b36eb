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
from palisade.controls import Control, load_controls
from palisade.fleet import Fleet, FleetHost
from palisade.inventory import to_ansible
from palisade.project import Project
from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet
from tests.check_modules import checks_in

UPSTREAMS, UPSTREAM_PORT = IPv4Network("172.30.0.0/24"), 8443
POD, NODE, OTHER_HOST = "100.64.0.9", "10.20.0.21", "10.20.0.99"


class Site:
    """An environment with services behind its APIs, and the rules of its hosts."""

    def __init__(self, environment: str, directory: Path) -> None:
        configuration = load_configuration(Project(root=ROOT), environment)
        networks = configuration.networks.model_copy(update={"upstreams": (UPSTREAMS,)})
        self.fleet = fleet_of(configuration.model_copy(update={"networks": networks}), (UPSTREAM_PORT,))
        self.rules = loaded(directory, json.loads(json.dumps(to_ansible(self.fleet))))

    def passes(self, host: str, hook: str, source: str, destination: str, port: int) -> bool:
        """Whether a new TCP connection gets through a host."""
        packet = Packet(source=IPv4Address(source), destination=IPv4Address(destination), protocol="tcp", port=port)
        return self.rules[host].decide(hook, packet).verdict == "accept"


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
        ("prod", "db-2", "input", "10.40.0.99", "10.40.0.52", 5432),
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


@pytest.mark.parametrize("environment", ["dev", "local", "staging"])
def test_the_controls_expect_of_every_host_what_its_rules_do(site: Callable[[str], Site], environment: str) -> None:
    checks, found = checks_in("test_firewall"), site(environment)
    traffic = {name: getattr(checks, name) for name in ("test_inbound", "test_outbound", "test_forwarded")}
    judged = 0
    for name, check in traffic.items():
        for control in load_controls(ROOT).verified_by(f"tests/verify/test_firewall.py::{name}"):
            for host in found.fleet.hosts:
                if host.group in control.applies_to:
                    readings = Stored(found.fleet, host, found.rules[host.name])
                    others = {"network": None} if name == "test_inbound" else {}
                    check(without_attempts(control), SimpleNamespace(), readings, **others)
                    judged += 1
    assert judged == 3 * len(found.fleet.hosts)
