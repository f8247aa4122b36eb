"""Pods that are made to look at the cluster from inside, and removed again.

Two on each node: one in a namespace in which everything is denied, and one in a namespace whose pods reach each other.
What connects from them is Palisade's own probe, run by the node in their network namespaces: no tool in an image is
trusted.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError

from palisade.fleet import HostGroup
from palisade.images.references import local_reference
from palisade.verification import registry_pods
from palisade.verification.cluster import Cluster, said
from palisade.verification.readings import PROBES, ReadingFailedError, Readings
from palisade.verification.waiting import read_until

DENIED = "palisade-registry"
OPEN = "default"
PORT = 9999
START_SECONDS = 60
"""How long the pods may take to run; with the image on the node it is two to four seconds."""
ANSWER_SECONDS = 1.0
"""How long a connection may take; a packet that is let through is answered within milliseconds."""
SETTLE_SECONDS = 6
"""How long the rules for a new pod may take; kube-router needs up to 1.5 s."""
SETTINGS = ("net.core.somaxconn",)
"""Kernel settings that are read in the pods."""
CLOSED = "closed"
GUARDED: Mapping[HostGroup, tuple[int, ...]] = {
    HostGroup.DATABASE: (5432, 6380),
    HostGroup.VAULT: (8200,),
    HostGroup.REGISTRY: (443, 8443, 8081, 9901),
}
"""Ports that not every pod may reach: of the hosts of a group; of registry nodes, those of their registry pods."""


@dataclass(frozen=True)
class ProbePod:
    """A running pod."""

    node: str
    namespace: str
    name: str
    address: str


@dataclass(frozen=True)
class Inside:
    """What was seen from inside the pods of one node."""

    settings: Mapping[str, Mapping[str, str]]
    """Settings of the network namespace of each pod, by its namespace."""
    connections: Mapping[str, str]
    """What was answered (``open``, ``refused``, ``silence``) to each attempt."""
    guarded: Mapping[str, Mapping[str, Mapping[int, str]]]
    """``open`` or ``closed`` by the namespace of the pod, by whose port it is and by the port (:data:`GUARDED`)."""


def inside(cluster: Cluster, nodes: Sequence[Readings]) -> Mapping[str, Inside]:
    """What :func:`look_inside` sees; pods are started once for all checks."""
    return cluster.once("inside pods", lambda: look_inside(cluster, nodes, SETTINGS))


def look_inside(cluster: Cluster, nodes: Sequence[Readings], settings: Sequence[str]) -> Mapping[str, Inside]:
    """Start the pods, look, remove them.

    Args:
        cluster: Where.
        nodes: The nodes; the pods of each are tried against those of the next one.
        settings: Kernel settings to read in each pod.

    Returns:
        By the name of the node.

    Raises:
        ReadingFailedError: a pod does not run.
    """
    guarded = _guarded(cluster, nodes[0])
    with _pods(cluster, nodes) as pods, ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        found = pool.map(lambda node: _look(node, pods, settings, guarded), nodes)
        return dict(zip((node.target.name for node in nodes), found, strict=True))


def reached(node: Readings, space: str, targets: Mapping[str, tuple[str, Sequence[int]]]) -> dict[str, dict[int, str]]:
    """Which ports can be reached from a network namespace of a node, all tried at the same time.

    A Network Policy refuses a few connections a second and lets the others wait, so both mean ``closed``.

    Args:
        node: The node.
        space: The name of the network namespace there.
        targets: Address and TCP ports by a name without blanks.

    Raises:
        ReadingFailedError: it could not be tried.
    """
    attempts = [
        f"(echo {shlex.quote(name)} $({_command(space, address, ports)})) &"
        for name, (address, ports) in targets.items()
    ]
    lines = [line.partition(" ") for line in node.host.run("\n".join([*attempts, "wait"])).stdout.splitlines()]
    found = {name: json.loads(answers) for name, _, answers in lines if answers}
    missing = sorted(set(targets) - set(found))
    if missing:
        raise ReadingFailedError(f"connections to {', '.join(missing)} could not be tried from {node.target.name}")
    return {
        name: {port: "open" if found[name][str(port)] == "open" else CLOSED for port in ports}
        for name, (_, ports) in targets.items()
    }


def _guarded(cluster: Cluster, node: Readings) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Address and ports of whom not every pod may reach, by name."""
    hosts = {
        host.name: (str(host.address), ports)
        for group, ports in GUARDED.items()
        for host in node.fleet.in_group(group)
        if group is not HostGroup.REGISTRY
    }
    ports = GUARDED[HostGroup.REGISTRY]
    return hosts | {name: (address, ports) for name, address in registry_pods.placed(cluster).values()}


def _look(
    node: Readings,
    pods: Sequence[ProbePod],
    settings: Sequence[str],
    guarded: Mapping[str, tuple[str, tuple[int, ...]]],
) -> Inside:
    here = {pod.namespace: pod for pod in pods if pod.node == node.target.name}
    elsewhere = next((pod for pod in pods if pod.namespace == OPEN and pod.node != node.target.name), here[OPEN])
    spaces = {namespace: network_namespace(node, pod.address) for namespace, pod in here.items()}
    attempts = {
        "from an open pod to an open pod": (OPEN, elsewhere, "open"),
        "from an open pod to the denied pod": (OPEN, here[DENIED], "silence"),
        "from the denied pod to an open pod": (DENIED, elsewhere, "silence"),
    }
    # The attempts that settle come first: until then the rules for a new pod may not be there.
    connections = {
        words: _settled(partial(_connect, node, spaces[source], pod.address), usual)
        for words, (source, pod, usual) in attempts.items()
    }
    return Inside(
        settings={
            namespace: {
                name: node.host.run(f"ip netns exec {space} sysctl -n {name}").stdout.strip() for name in settings
            }
            for namespace, space in spaces.items()
        },
        connections=connections,
        guarded={namespace: reached(node, space, guarded) for namespace, space in spaces.items()},
    )


def _settled(attempt: Callable[[], str], usual: str) -> str:
    """The answer once the rules for a new pod are there: the usual one, or what stays instead of it."""
    return read_until(attempt, lambda answer: answer == usual, seconds=SETTLE_SECONDS)


def _connect(node: Readings, space: str, address: str) -> str:
    answer = node.host.run(_command(space, address, (PORT,)))
    if answer.rc != 0:
        raise ReadingFailedError(f"the connection to {address} could not be tried: {answer.stderr.strip()}")
    return str(json.loads(answer.stdout)[str(PORT)])


def _command(space: str, address: str, ports: Sequence[int]) -> str:
    source = (PROBES / "connect.py").read_text(encoding="utf-8")
    arguments = ["ip", "netns", "exec", space, "python3", "-c", source, address, str(ANSWER_SECONDS)]
    return shlex.join([*arguments, *map(str, ports)])


def network_namespace(node: Readings, address: str) -> str:
    """The name that a node has given to the network namespace of a pod.

    Args:
        node: Where the pod runs.
        address: The address of the pod.

    Raises:
        ReadingFailedError: no pod there has this address.
    """
    names = [line.split()[0] for line in node.host.run("ip netns list").stdout.splitlines()]
    for name in names:
        if f" {address}/" in node.host.run(f"ip -netns {shlex.quote(name)} -4 -oneline address show").stdout:
            return name
    raise ReadingFailedError(f"no network namespace of {node.target.name} has the address {address}")


@contextmanager
def _pods(cluster: Cluster, nodes: Sequence[Readings]) -> Iterator[tuple[ProbePod, ...]]:
    image = local_reference(nodes[0].fleet.environment, "busybox")
    suffix = secrets.token_hex(4)
    wanted = [
        _manifest(f"palisade-verify-{node.target.name}-{suffix}", namespace, node.target.name, image)
        for node in nodes
        for namespace in (DENIED, OPEN)
    ]
    resource = cluster.resource("Pod")
    try:
        for manifest in wanted:
            _create(resource, manifest)
        deadline = time.monotonic() + START_SECONDS
        yield tuple(_running(cluster, manifest, deadline) for manifest in wanted)
    finally:
        for manifest in wanted:
            metadata = manifest["metadata"]
            with suppress(NotFoundError):
                resource.delete(name=metadata["name"], namespace=metadata["namespace"], body={"gracePeriodSeconds": 0})


def _create(resource: Any, manifest: Mapping[str, Any]) -> None:
    namespace = manifest["metadata"]["namespace"]
    try:
        resource.create(body=manifest, namespace=namespace)
    except DynamicApiError as error:
        raise ReadingFailedError(f"no pod could be made in {namespace}: {said(error)}") from error


def _running(cluster: Cluster, manifest: Mapping[str, Any], deadline: float) -> ProbePod:
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]

    def read() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        status = (cluster.read("Pod", "v1", name, namespace) or {}).get("status", {})
        return status, (status.get("containerStatuses") or [{}])[0]

    status, container = read_until(read, lambda found: found[1].get("ready"), seconds=deadline - time.monotonic())
    if not container.get("ready"):
        state = container.get("state") or status.get("conditions") or status
        raise ReadingFailedError(f"the pod {namespace}/{name} does not run within {START_SECONDS} s: {state}")
    return ProbePod(manifest["spec"]["nodeName"], namespace, name, status["podIP"])


def _manifest(name: str, namespace: str, node: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": "palisade-verify"}},
        "spec": {
            # Not scheduled: each node has its own, full or not.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "listener",
                    "image": image,
                    "command": ["/bin/httpd", "-f", "-p", str(PORT), "-h", "/bin"],
                    "resources": {
                        "requests": {"cpu": "5m", "memory": "8Mi"},
                        "limits": {"cpu": "50m", "memory": "16Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
