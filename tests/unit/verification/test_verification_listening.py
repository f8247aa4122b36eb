"""What a node may listen at: the ports of health checks that Services have, and no other port of that range."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from verification_sample import a_control

from palisade.verification.check import Recorder
from tests.check_modules import checks_in

EXPECTED = {
    "listens": {"kube-proxy": ["127.0.0.1:10249"], "kubelet": ["{address}:10250"]},
    "health_checks": "kube-proxy",
}
USUAL = {"127.0.0.1:10249": "kube-proxy", "10.77.0.21:10250": "kubelet", "10.77.0.21:30249": "kube-proxy"}


@dataclass
class Node:
    """A node with these sockets, by the program that has them."""

    sockets: dict[str, str]
    target: Any = field(default_factory=lambda: SimpleNamespace(address=IPv4Address("10.77.0.21")))

    def output(self, command: str) -> str:
        assert command.startswith("ss ")
        lines = (
            f'LISTEN 0 4096 {place} 0.0.0.0:* users:(("{name}",pid=7,fd=3))' for place, name in self.sockets.items()
        )
        return "\n".join(lines)


class Services:
    """A cluster with one Service that keeps its clients' addresses."""

    def objects(self, kind: str) -> list[dict[str, Any]]:
        assert kind == "Service"
        return [{"spec": {"type": "ClusterIP"}}, {"spec": {"type": "LoadBalancer", "healthCheckNodePort": 30249}}]


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    return checks_in("test_kubernetes_node")


def listen(checks: ModuleType, **more: str) -> None:
    sockets = {**USUAL, **{place.replace("_", ":"): name for place, name in more.items()}}
    checks.test_listens(a_control("a-node", expected=EXPECTED), Recorder(), Node(sockets), Services())


def test_the_port_of_a_services_health_check_is_known(checks: ModuleType) -> None:
    listen(checks)


@pytest.mark.parametrize(
    ("place", "program"),
    [
        ("10.77.0.21_30250", "kube-proxy"),
        ("0.0.0.0_30249", "kube-proxy"),
        ("10.77.0.21_30249", "kubelet"),
    ],
    ids=["another port of that range", "the port at every address", "the port, of another program"],
)
def test_what_is_no_health_check_of_a_service_is_noticed(checks: ModuleType, place: str, program: str) -> None:
    with pytest.raises(AssertionError, match=f"{program} is "):
        listen(checks, **{place: program})
