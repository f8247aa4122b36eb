"""What is asked about the registry nodes of a cluster, and the pods on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.provisioning.kubectl import Kubectl
from tests.provisioning.stand_in import NAMESPACE

REGISTRY_NODES = "--selector=palisade.dev/role=registry"


@dataclass(frozen=True)
class RegistryNode:
    """One node as the API server has it."""

    name: str
    cluster: str
    zone: str
    cpu: str
    """Its capacity, as a Kubernetes quantity."""
    memory: str
    """Its capacity, as a Kubernetes quantity."""
    taints: tuple[str, ...]
    pods: int
    """How many ready pods of the registry run on it."""


def registry_nodes(kubectl: Kubectl) -> list[RegistryNode]:
    """The registry nodes, by name."""
    pods = Counter(
        pod["spec"].get("nodeName") for pod in kubectl.objects("pods", f"--namespace={NAMESPACE}") if _is_ready(pod)
    )
    nodes = kubectl.objects("nodes", REGISTRY_NODES)
    return sorted((_node(node, pods[node["metadata"]["name"]]) for node in nodes), key=lambda node: node.name)


def skew(nodes: Sequence[RegistryNode], zones: Sequence[str]) -> int:
    """How many nodes more the fullest of these zones has than the emptiest."""
    counts = Counter(node.zone for node in nodes)
    return max(counts[zone] for zone in zones) - min(counts[zone] for zone in zones)


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _node(document: dict[str, Any], pods: int) -> RegistryNode:
    labels, capacity = document["metadata"]["labels"], document["status"]["capacity"]
    return RegistryNode(
        name=document["metadata"]["name"],
        cluster=labels["palisade.dev/cluster"],
        zone=labels["topology.kubernetes.io/zone"],
        cpu=capacity["cpu"],
        memory=capacity["memory"],
        taints=tuple(
            f"{taint['key']}={taint.get('value', '')}:{taint['effect']}" for taint in document["spec"]["taints"]
        ),
        pods=pods,
    )
