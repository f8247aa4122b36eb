"""The firewall and the cluster on the same hosts: neither undoes the other, and nothing more than published answers.

The tests use one namespace, whose pods publish ports of their node, and a neighbour on the fleet's network.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from conftest import ENVIRONMENT, harden, on_host, recap
from local_cluster import allow, deployment, kubectl, succeed
from neighbour import Neighbour, neighbour

from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.local.places import Places

NAMESPACE = "firewall-test"
OWN = f"--namespace={NAMESPACE}"
NODE = "registry-1"
SERVER = "hostname > /srv/index.html && exec httpd -f -p 8080 -h /srv"
ALL_PORTS = range(1, 65_536)
ANSWERS = {443: "open", 8443: "open"}
"""The registry on 443; on 8443 a pod of this test, which has the port of its node."""
UDP_PORTS = (
    53,
    67,
    68,
    111,
    123,
    137,
    161,
    323,
    443,
    500,
    514,
    1900,
    4500,
    4789,
    5353,
    6443,
    8443,
    8472,
    10_250,
    51_820,
    30_000,
    30_001,
    31_000,
    32_000,
    32_767,
)
"""Ports of well-known services and of clusters, and a few of those that Kubernetes gives to a Service (NodePort)."""
UNIT = "palisade-firewall.service"
FILE = "/etc/palisade/firewall.nft"


def published(name: str) -> dict[str, Any]:
    """A pod on each node, with two of the node's ports: one that is for everybody, and one that is not."""
    workload = deployment(name, "sh", "-c", SERVER)
    pod = workload["spec"]["template"]["spec"]
    ports = [{"containerPort": 8080, "hostPort": 8443}, {"containerPort": 8081, "hostPort": 9443}]
    pod["containers"][0] |= {"ports": ports, "volumeMounts": [{"name": "files", "mountPath": "/srv"}]}
    pod["volumes"] = [{"name": "files", "emptyDir": {}}]
    return workload


def put(*objects: dict[str, Any]) -> None:
    """Apply objects in the namespace of these tests."""
    document = {"apiVersion": "v1", "kind": "List", "items": objects}
    succeed(OWN, "apply", "--filename=-", stdin=json.dumps(document))


@pytest.fixture(scope="module", autouse=True)
def pods(fleet: Fleet) -> Iterator[Fleet]:
    # What publishes a port of its node is privileged, as Pod Security sees it.
    labels = {"pod-security.kubernetes.io/enforce": "privileged"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 443, "targetPort": 8080}]},
    }
    put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    closed = deployment("closed", "httpd", "-f", "-p", "8080", "-h", "/bin")
    put(published("server"), service, deployment("client", "sleep", "900"), closed, allow("closed"))
    for name in ("server", "client", "closed"):
        succeed(OWN, "rollout", "status", f"deployment/{name}", "--timeout=60s")
    yield fleet
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")


@pytest.fixture(scope="module")
def outsider(fleet: Fleet) -> Iterator[Neighbour]:
    with neighbour(fleet.networks.fleet, Places.of(ENVIRONMENT).network) as found:
        yield found


def node(fleet: Fleet, name: str = NODE) -> FleetHost:
    return next(host for host in fleet.in_group(HostGroup.REGISTRY) if host.name == name)


def address_of(kind: str, name: str) -> str:
    """The address of a service, or of the pod of a deployment on the node."""
    if kind == "service":
        return str(json.loads(succeed(OWN, "get", kind, name, "--output=json"))["spec"]["clusterIP"])
    found = json.loads(succeed(OWN, "get", "pods", f"--selector=app={name}", "--output=json"))["items"]
    return next(str(pod["status"]["podIP"]) for pod in found if pod["spec"]["nodeName"] == NODE)


def from_a_pod(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the client on the node."""
    found = json.loads(succeed(OWN, "get", "pods", "--selector=app=client", "--output=json"))["items"]
    pod = next(pod["metadata"]["name"] for pod in found if pod["spec"]["nodeName"] == NODE)
    return kubectl(OWN, "exec", pod, "--", "sh", "-c", script)


def udp_ports(host: FleetHost) -> list[int]:
    """The UDP ports that a neighbour tries: a sample, and every one that has a socket on the host.

    Not all 65,535: a port that the firewall closes answers with nothing, so each costs a time to wait for.
    """
    listed = on_host(host.name, "ss --no-header --listening --udp --numeric")
    assert listed.returncode == 0, listed.stderr
    own = {int(line.split()[3].rpartition(":")[2]) for line in listed.stdout.splitlines()}
    return sorted({*UDP_PORTS, *own})


def answered(host: FleetHost, port: int) -> str:
    """What this machine, a client of the fleet, gets from a node's port; empty if nothing in two seconds."""
    connection = HTTPConnection(str(host.address), port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except OSError:
        return ""
    finally:
        connection.close()


def test_a_published_port_answers_and_no_other(fleet: Fleet) -> None:
    for host in fleet.in_group(HostGroup.REGISTRY):
        assert answered(host, 8443).startswith("server-")
        assert answered(host, 9443) == ""


def test_from_a_neighbour_nothing_answers_but_what_is_published(fleet: Fleet, outsider: Neighbour) -> None:
    """On every TCP port, and on the UDP ports of ``udp_ports``."""
    nodes = fleet.in_group(HostGroup.REGISTRY)
    with ThreadPoolExecutor() as threads:
        tcp = list(threads.map(lambda host: outsider.tcp(host.address, ALL_PORTS), nodes))
        udp = list(threads.map(lambda host: outsider.udp(host.address, udp_ports(host)), nodes))
    assert tcp == [ANSWERS] * len(nodes)
    assert udp == [{}] * len(nodes)
    # The same questions are answered by who is asked where nothing is in the way: this machine.
    gateway = fleet.networks.fleet.network_address + 1
    assert outsider.udp(str(gateway), [9]) == {9: "refused"}


def test_the_control_plane_does_not_answer_a_neighbour_at_all(fleet: Fleet, outsider: Neighbour) -> None:
    (control,) = fleet.in_group(HostGroup.CONTROL)
    assert outsider.tcp(control.address, ALL_PORTS) == {}
    assert outsider.udp(control.address, udp_ports(control)) == {}


def test_ssh_is_for_the_bastion_alone(fleet: Fleet, outsider: Neighbour) -> None:
    assert on_host(NODE, "true").returncode == 0  # through the bastion
    assert outsider.tcp(node(fleet).address, [22]) == {}


def test_a_neighbour_reaches_no_pod_and_no_service_by_sending_them_through_a_node(
    fleet: Fleet, outsider: Neighbour
) -> None:
    service, pod = address_of("service", "server"), address_of("pod", "server")
    for address in (service, pod):
        outsider.route(f"{address}/32", node(fleet).address)
    assert outsider.tcp(service, [443]) == {}
    assert outsider.tcp(pod, [8080]) == {}


def test_a_pod_reaches_nothing_outside_that_is_not_named(fleet: Fleet) -> None:
    gateway = fleet.networks.fleet.network_address + 1
    (control,) = fleet.in_group(HostGroup.CONTROL)
    (database,) = fleet.in_group(HostGroup.DATABASE)
    # A port that is let through answers or refuses at once; on others the packet is dropped and nothing ever comes.
    tries = {
        f"{control.address}:6443": True,
        f"{database.address}:5432": True,
        f"{control.address}:5000": False,
        f"{database.address}:22": False,
        f"{node(fleet).address}:10250": False,
        f"{gateway}:80": False,
    }
    script = "; ".join(f"wget -T 2 -O /dev/null http://{where}/ 2>&1 | tail -n 1" for where in tries)
    said = from_a_pod(script).stdout.splitlines()
    assert dict(zip(tries, ["timed out" not in line for line in said], strict=True)) == tries, said


def state_of_others() -> str:
    """Everybody else's tables, the rules of services, and how many rules NetworkPolicies have made."""
    listed = on_host(
        NODE,
        "sudo nft list tables | grep --invert-match 'inet palisade$' | sort; "
        "sudo nft --stateless list table ip kube-proxy; "
        "sudo nft --stateless list table ip filter | grep --count KUBE-POD-FW",
    )
    assert listed.returncode == 0, listed.stderr
    assert "table ip kube-proxy" in listed.stdout
    return listed.stdout


def require_traffic() -> None:
    """A service answers, a published port answers, and what a NetworkPolicy closes stays closed."""
    service, closed = address_of("service", "server"), address_of("pod", "closed")
    # Its own node reaches every pod, so it is the policy that keeps the client out and not that nobody listens.
    listens = on_host(NODE, f"timeout 2 bash -c '</dev/tcp/{closed}/8080'")
    assert listens.returncode == 0, listens.stderr
    script = f"wget -q -T 2 -O - http://{service}:443/; wget -T 1 -O /dev/null http://{closed}:8080/ 2>&1 | tail -n 1"
    asked = from_a_pod(script)
    of_service, of_closed = asked.stdout.splitlines()
    assert of_service.startswith("server-")
    assert "timed out" in of_closed


@pytest.mark.parametrize(
    "action",
    [
        f"systemctl reload {UNIT}",
        f"systemctl restart {UNIT}",
        f"systemctl stop {UNIT}",
        f"systemctl start {UNIT}",
        f"sed --in-place 's/8443/8443, 8444/' {FILE} && systemctl reload {UNIT}",
    ],
)
def test_services_and_network_policies_outlive_what_is_done_to_the_firewall(action: str, fleet: Fleet) -> None:
    before = state_of_others()
    done = on_host(NODE, f"sudo sh -c {shlex.quote(action)}")
    assert done.returncode == 0, done.stderr
    assert state_of_others() == before
    require_traffic()
    if "stop" not in action:
        assert answered(node(fleet), 8443).startswith("server-")


def test_hardening_takes_the_change_back_and_leaves_the_cluster_alone() -> None:
    before = state_of_others()
    hardened = harden("--tags", "firewall", "--limit", NODE)
    assert recap(hardened.stdout)[NODE].changed > 0, hardened.stdout[-4000:]
    assert "8444" not in on_host(NODE, f"sudo cat {FILE}").stdout
    assert state_of_others() == before
    require_traffic()
