"""Kubernetes on the hardened hosts of the local fleet: what runs on it, what it refuses, what it survives.

The tests use one namespace and run in this order.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from functools import partial

import pytest
from conftest import ENVIRONMENT, harden, on_host, reboot, recap, run
from local_cluster import NAMESPACE, allow, apply, deployment, get, kubectl, pods_by_node, succeed

from palisade.fleet import Fleet, HostGroup
from tests.waiting import wait_until

NODES = {"registry-1", "registry-2"}
SECRET = secrets.token_hex(16)
PLAYBOOK = ("ansible-playbook", "-i", f"inventories/{ENVIRONMENT}", "playbooks/local_cluster.yml")
SERVER = "hostname > /tmp/index.html && exec httpd -f -p 8080 -h /tmp"


@pytest.fixture(scope="module", autouse=True)
def cluster(fleet: Fleet) -> Iterator[Fleet]:
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")  # what a killed run left
    succeed("create", "namespace", NAMESPACE)
    yield fleet
    kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def node_states() -> dict[str, str]:
    document = json.loads(run("palisade", "local", "status", "--output", "json").stdout)
    return {row["host"]: row["node"] for row in document["hosts"] if row["node"]}


def ask(node: str, address: str) -> str:
    """What a pod on that node gets from an address; empty if nothing in two seconds, or if there is no such pod."""
    pod = pods_by_node("client").get(node, "")
    return kubectl("exec", pod, "--", "wget", "-q", "-T", "2", "-O", "-", f"http://{address}").stdout.strip()


def test_every_registry_host_is_a_node_of_its_zone_that_only_registry_pods_enter() -> None:
    assert node_states() == dict.fromkeys(NODES, "Ready")
    nodes = get("nodes")["items"]
    labels = [node["metadata"]["labels"] for node in nodes]
    assert {label["topology.kubernetes.io/zone"] for label in labels} == {"local-a", "local-b"}
    assert {label["palisade.dev/role"] for label in labels} == {"registry"}
    taints = [{"key": "palisade.dev/role", "value": "registry", "effect": "NoSchedule"}]
    assert [node["spec"]["taints"] for node in nodes] == [taints] * len(NODES)


def test_pods_run_on_both_nodes_and_reach_each_other_by_name_through_a_service() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    apply(deployment("server", "sh", "-c", SERVER), deployment("client", "sleep", "infinity"), service)
    for name in ("server", "client"):
        succeed("rollout", "status", f"deployment/{name}", "--timeout=60s")
    servers = pods_by_node("server")
    assert set(servers) == set(pods_by_node("client")) == NODES
    for node in NODES:
        wait_until(partial(answered_by, node, set(servers.values())), f"from {node} not every server is reached")


def answered_by(node: str, servers: set[str]) -> bool:
    """Whether several questions to the service are answered by each of these pods."""
    return {ask(node, f"server.{NAMESPACE}.svc.cluster.local") for _ in range(6)} == servers


def test_a_network_policy_is_enforced_within_seconds_and_lifted_as_fast() -> None:
    apply(allow("server"))
    wait_until(lambda: ask("registry-1", "server") == "", "the server still answers", seconds=5)
    assert ask("registry-2", "server") == ""
    apply(allow("server", podSelector={"matchLabels": {"app": "client"}}))
    wait_until(lambda: ask("registry-1", "server") != "", "the client is still refused", seconds=5)
    apply(allow("server", ipBlock={"cidr": "192.0.2.0/24"}))
    wait_until(lambda: ask("registry-2", "server") == "", "the server still answers", seconds=5)
    succeed("delete", "networkpolicy", "server")
    wait_until(lambda: ask("registry-2", "server") != "", "the client is still refused", seconds=5)


def test_a_secret_is_encrypted_where_it_is_stored_and_the_audit_log_knows_who_wrote_it() -> None:
    succeed("create", "secret", "generic", "stored", f"--from-literal=password={SECRET}")
    keys = "/etc/palisade/cluster/keys"
    stored = on_host(
        "control-1",
        f"sudo etcdctl --endpoints=https://127.0.0.1:2379 --cacert={keys}/etcd-ca.crt --cert={keys}/apiserver-etcd.crt "
        f"--key={keys}/apiserver-etcd.key get /registry/secrets/{NAMESPACE}/stored | base64 --wrap=0",
    )
    assert "k8s:enc:secretbox:v1:" in decoded(stored.stdout), stored.stderr
    assert SECRET not in decoded(stored.stdout)
    logged = on_host("control-1", 'sudo grep --fixed-strings \'"name":"stored"\' /var/log/kubernetes/audit.log')
    (created,) = [entry for entry in map(json.loads, logged.stdout.splitlines()) if entry["verb"] == "create"]
    assert (created["user"]["username"], created["responseStatus"]["code"]) == ("palisade:operator", 201)
    assert "requestObject" not in created
    everything = on_host("control-1", f"sudo grep --count --recursive {SECRET} /var/log/kubernetes /var/lib/etcd")
    assert everything.returncode == 1, everything.stderr or "a secret lies in plain text"  # grep looked and found none
    assert "/var/log/kubernetes/audit.log:0" in everything.stdout.splitlines()


def decoded(text: str) -> str:
    return base64.b64decode(text).decode("utf-8", errors="replace")


@pytest.mark.parametrize("host", sorted(NODES))
def test_a_kubelet_refuses_who_does_not_say_who_it_is(host: str, fleet: Fleet) -> None:
    address = next(one.address for one in fleet.in_group(HostGroup.REGISTRY) if one.name == host)
    program = (
        "import ssl, urllib.error, urllib.request as request\n"
        "anybody = ssl._create_unverified_context()\n"
        f"try: print(request.urlopen('https://{address}:10250/pods', context=anybody, timeout=5).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    asked = on_host("control-1", f'python3 -c "{program}"')
    assert asked.stdout.strip() == "401", asked.stderr


def test_the_cluster_and_the_hardening_leave_each_other_alone() -> None:
    again = run(*PLAYBOOK)
    assert again.returncode == 0, again.stdout[-4000:]
    assert {host: lines.changed for host, lines in recap(again.stdout).items() if lines.changed} == {}, again.stdout
    hardened = harden("--limit", "control-1,registry-1")
    assert hardened.returncode == 0, hardened.stdout[-4000:]
    assert {host: lines.changed for host, lines in recap(hardened.stdout).items() if lines.changed} == {}


def test_an_up_of_a_cluster_that_is_up_changes_nothing() -> None:
    up = run("palisade", "local", "up")
    assert up.returncode == 0, up.stderr
    assert "Kubernetes: already up" in up.stderr


def test_a_node_that_reboots_comes_back_and_takes_pods_again() -> None:
    reboot("registry-1")
    wait_until(lambda: node_states() == dict.fromkeys(NODES, "Ready"), "registry-1 is not ready", seconds=90)
    # Its pods were ended with it and made again on the other node.
    for name in ("deployment/server", "deployment/client"):
        succeed("rollout", "status", name, "--timeout=90s")
        succeed("rollout", "restart", name)
        succeed("rollout", "status", name, "--timeout=90s")
    wait_until(lambda: ask("registry-1", "server") != "", "a pod on registry-1 reaches no server", seconds=60)
    hardened = harden("--limit", "registry-1")
    assert hardened.returncode == 0, hardened.stdout[-4000:]
    assert recap(hardened.stdout)["registry-1"].changed == 0


@pytest.mark.long
def test_a_node_is_replaced_by_a_fresh_host_that_is_hardened_and_joins_again() -> None:
    before = get("node", "registry-2")["metadata"]["uid"]
    on_host("registry-2", "touch made-by-hand")
    replaced = run("palisade", "local", "replace", "registry-2")
    assert replaced.returncode == 0, replaced.stderr
    assert get("node", "registry-2")["metadata"]["uid"] != before
    assert on_host("registry-2", "ls made-by-hand").returncode != 0
    assert node_states() == dict.fromkeys(NODES, "Ready")
    succeed("rollout", "status", "deployment/server", "--timeout=60s")
    wait_until(lambda: ask("registry-1", "server") != "", "a pod on registry-1 reaches no server")
    hardened = harden("--limit", "registry-2", "--check")
    assert recap(hardened.stdout)["registry-2"].changed == 0, hardened.stdout[-4000:]
