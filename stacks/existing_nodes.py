"""Whether nodes that somebody else made can be registry nodes: their size, their labels and their taint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from kubernetes.utils.quantity import parse_quantity

from palisade.errors import ConfigurationError
from palisade.sizing import MILLICPU_PER_VCPU, Resources, Scale
from stacks.objects import CLUSTER_LABEL, REGISTRY_ROLE, ROLE_LABEL, ZONE_LABEL

_BYTES_PER_MEBIBYTE = 2**20
_TAINT_EFFECTS = ("NoSchedule", "NoExecute")


@dataclass(frozen=True)
class NodeFacts:
    """What a cluster says about one node."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[tuple[str, str, str], ...]
    """Key, value and effect of each."""
    allocatable: Resources
    """What its pods may ask for together."""


@dataclass(frozen=True)
class NodeNeeds:
    """What every registry node must have."""

    room: Resources
    """For a registry pod and the DaemonSets beside it."""
    zones: tuple[str, ...]
    scale: Scale | None
    """What the plan asks for; None where the nodes that are listed are the scale (a local fleet)."""


def facts_of(metadata: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any]) -> NodeFacts:
    """What a Node object says.

    Args:
        metadata: Its ``metadata``.
        spec: Its ``spec``.
        status: Its ``status``.
    """
    allocatable = status.get("allocatable") or {}
    return NodeFacts(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        taints=tuple((taint["key"], taint.get("value", ""), taint["effect"]) for taint in spec.get("taints") or ()),
        allocatable=Resources(
            millicpu=int(parse_quantity(allocatable.get("cpu", 0)) * MILLICPU_PER_VCPU),
            memory_mib=int(parse_quantity(allocatable.get("memory", 0)) / _BYTES_PER_MEBIBYTE),
        ),
    )


def refuse_unfit(nodes: Sequence[NodeFacts], needs: NodeNeeds) -> list[str]:
    """The names of the nodes.

    Raises:
        RunError: some of them cannot be registry nodes; it names all of these with everything that is wrong, and
            Pulumi shows it without a traceback.
    """
    problems = [*(f"{node.name}: {what}" for node in nodes for what in _misfits(node, needs)), *_missing(nodes, needs)]
    if problems:
        listing = "\n".join(["Nodes of the cluster cannot be registry nodes.", *(f"  - {text}" for text in problems)])
        error = ConfigurationError(
            listing,
            where="fleet.cluster.provisioner: existing",
            allowed=f"nodes with room for {_words(needs.room)}, labelled {ROLE_LABEL}={REGISTRY_ROLE} and tainted so",
            remedy="correct the nodes (kubectl label node, kubectl taint node), or list others under fleet.hosts",
        )
        raise pulumi.RunError(str(error))
    return [node.name for node in nodes]


def _misfits(node: NodeFacts, needs: NodeNeeds) -> Iterator[str]:
    has, wanted = node.allocatable, needs.room
    if has.millicpu < wanted.millicpu or has.memory_mib < wanted.memory_mib:
        yield f"its pods may ask for {_words(has)}, and a registry pod with what runs beside it needs {_words(wanted)}"
    if node.labels.get(ROLE_LABEL) != REGISTRY_ROLE:
        yield f"it has no label {ROLE_LABEL}={REGISTRY_ROLE}"
    zone = node.labels.get(ZONE_LABEL)
    if zone not in needs.zones:
        yield f"its zone ({ZONE_LABEL}) is {zone or 'not labelled'}, and the zones are {', '.join(needs.zones)}"
    if not any((ROLE_LABEL, REGISTRY_ROLE, effect) in node.taints for effect in _TAINT_EFFECTS):
        yield f"it has no taint {ROLE_LABEL}={REGISTRY_ROLE}:NoSchedule, so other pods could take its room"


def _missing(nodes: Sequence[NodeFacts], needs: NodeNeeds) -> Iterator[str]:
    scale = needs.scale
    if scale is None or scale.clusters == 1:
        return  # how many hosts are listed was compared with the load before anything was read
    labelled = Counter(node.labels.get(CLUSTER_LABEL) for node in nodes)
    for cluster in range(1, scale.clusters + 1):
        if labelled[str(cluster)] < scale.nodes_per_cluster:
            yield (
                f"{labelled[str(cluster)]} nodes are labelled {CLUSTER_LABEL}={cluster}, "
                f"and that cluster needs {scale.nodes_per_cluster}"
            )


def _words(resources: Resources) -> str:
    return f"{resources.millicpu} m CPU and {resources.memory_mib} MiB"
