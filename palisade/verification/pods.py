"""Pods that are made to look at the cluster from inside, and removed again.

Two on each node: one in a namespace in which everything is denied, and one in a namespace without Network Policies.
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

from palisade.images.references import local_reference
from palisade.verification.cluster import Cluster, said
from palisade.verification.readings import PROBES, ReadingFailedError, Readings

DENIED = "palisade-registry"
OPEN = "default"
PORT = 9999
START_SECONDS = 60
"""How long the pods may take to run; with the image on the node it is two to four seconds."""
ANSWER_SECONDS = 1.0
"""How long a connection may take; a packet that is let through is answered within milliseconds."""
SETTLE_SECONDS = 6
"""How long the rules for a new pod may take; kube-router needs up to 1.5 s."""
_LOOK_SECONDS = 0.2


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
    with _pods(cluster, nodes) as pods, ThreadPoolExecutor(max_workers=len(nodes)) as pool:
        found = pool.map(lambda node: _look(node, pods, settings), nodes)
        return dict(zip((node.target.name for node in nodes), found, strict=True))


def _look(node: Readings, pods: Sequence[ProbePod], settings: Sequence[str]) -> Inside:
    here = {pod.namespace: pod for pod in pods if pod.node == node.target.name}
    elsewhere = next((pod for pod in pods if pod.namespace == OPEN and pod.node != node.target.name), here[OPEN])
    spaces = {namespace: _network_namespace(node, pod.address) for namespace, pod in here.items()}
    attempts = {
        "from an open pod to an open pod": (OPEN, elsewhere, "open"),
        "from an open pod to the denied pod": (OPEN, here[DENIED], "silence"),
        "from the denied pod to an open pod": (DENIED, elsewhere, "silence"),
    }
    return Inside(
        settings={
            namespace: {
                name: node.host.run(f"ip netns exec {space} sysctl -n {name}").stdout.strip() for name in settings
            }
            for namespace, space in spaces.items()
        },
        connections={
            words: _settled(partial(_connect, node, spaces[source], pod.address), usual)
            for words, (source, pod, usual) in attempts.items()
        },
    )


def _settled(attempt: Callable[[], str], usual: str) -> str:
    """The answer once the rules for a new pod are there: the usual one, or what stays instead of it."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        answer = attempt()
        if answer == usual or time.monotonic() > deadline:
            return answer
        time.sleep(_LOOK_SECONDS)


def _connect(node: Readings, space: str, address: str) -> str:
    source = (PROBES / "connect.py").read_text(encoding="utf-8")
    arguments = ["ip", "netns", "exec", space, "python3", "-c", source, address, str(ANSWER_SECONDS), str(PORT)]
    answer = node.host.run(shlex.join(arguments))
    if answer.rc != 0:
        raise ReadingFailedError(f"the connection to {address} could not be tried: {answer.stderr.strip()}")
    return str(json.loads(answer.stdout)[str(PORT)])


def _network_namespace(node: Readings, address: str) -> str:
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
    while True:
        status = (cluster.read("Pod", "v1", name, namespace) or {}).get("status", {})
        states = status.get("containerStatuses") or [{}]
        if states[0].get("ready"):
            return ProbePod(manifest["spec"]["nodeName"], namespace, name, status["podIP"])
        if time.monotonic() > deadline:
            state = states[0].get("state") or status.get("conditions") or status
            raise ReadingFailedError(f"the pod {namespace}/{name} does not run within {START_SECONDS} s: {state}")
        time.sleep(_LOOK_SECONDS)


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
