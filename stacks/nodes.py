"""The registry nodes: made by Karpenter within the limits of the sizing, or existing hosts that are looked at first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Node

from palisade.config_cluster import InstanceLabels, InstanceRequirement, MemoryUnit, NodeClass
from palisade.sizing import (
    MEBIBYTES_PER_GIBIBYTE,
    MEMORY_GIB_PER_NODE,
    REGISTRY_NODE,
    VCPU_PER_NODE,
    Scale,
)
from stacks.existing_nodes import NodeNeeds, facts_of, refuse_unfit
from stacks.objects import CLUSTER_LABEL, REGISTRY_ROLE, ROLE_LABEL, ZONE_LABEL, Component, metadata

NODE_POOL_API = "karpenter.sh/v1"
REGISTRY_TAINT: Mapping[str, str] = {"key": ROLE_LABEL, "value": REGISTRY_ROLE, "effect": "NoSchedule"}
"""Keeps every pod away from registry nodes that does not say it belongs there."""
EMPTY_AFTER = "1m"
"""How long a node may stand empty: longer than a rollout leaves it without its pod."""
DRAINED_PER_HOUR = 10
"""So many nodes are drained in an hour when all go at the same time: the registry's disruption budget lets one pod go
after the other, and a fresh node with a running pod takes some three minutes; twice that is allowed."""


@dataclass(frozen=True)
class NodePoolsArgs:
    """What Karpenter may make."""

    scale: Scale
    """How many clusters, and how many nodes each may have."""
    zones: tuple[str, ...]
    node_class: NodeClass
    instance_labels: InstanceLabels
    expiry_hours: int
    """After this many hours a node is replaced by a fresh one."""
    further: tuple[InstanceRequirement, ...] = ()
    """What the machines must be beside what Palisade asks for itself."""
    empty_after: str = EMPTY_AFTER


class NodePools(Component):
    """One Karpenter NodePool for each cluster of the plan; its limits are the cluster's nodes and not one more."""

    def __init__(self, name: str, args: NodePoolsArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        names = [f"palisade-registry-{cluster}" for cluster in range(1, args.scale.clusters + 1)]
        for cluster, pool in enumerate(names, start=1):
            CustomResource(
                pool,
                api_version=NODE_POOL_API,
                kind="NodePool",
                metadata=metadata(pool, why=f"At most {args.scale.nodes_per_cluster} registry nodes"),
                spec=node_pool_spec(str(cluster), args),
                opts=self.child(),
            )
        self.register_outputs({"node_pools": names})


@dataclass(frozen=True)
class ExistingNodesArgs:
    """Which nodes there must be, and what they must have."""

    names: tuple[str, ...]
    needs: NodeNeeds


class ExistingNodes(Component):
    """Registry nodes that somebody else made: read, never changed, and refused when they cannot carry their load.

    They are read from the cluster in every preview and every update. Whoever awaits :attr:`accepted` before anything
    else is declared has a node that is missing, too small or wrongly labelled stop both before anything is changed.
    """

    def __init__(self, name: str, args: ExistingNodesArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        nodes = [Node.get(node, id=node, opts=self.child()) for node in args.names]
        read = [pulumi.Output.all(node.metadata, node.spec, node.status) for node in nodes]
        facts = pulumi.Output.all(*read).apply(lambda found: [facts_of(*each) for each in found])
        self.accepted: pulumi.Output[list[str]] = facts.apply(lambda found: refuse_unfit(found, args.needs))
        """The names of the nodes, once all of them have been found fit."""
        self.register_outputs({"nodes": self.accepted})


def drain_at_most(scale: Scale) -> str:
    """After how long a node that is to go goes, whatever holds it; no node outlives its expiry by more.

    Nodes that were made together expire together, and Karpenter asks no budget about that: the last one waits for all
    others. A node that is not empty by then is ended with its pod.
    """
    nodes = scale.clusters * scale.nodes_per_cluster
    return f"{math.ceil(nodes / DRAINED_PER_HOUR)}h"


def node_pool_spec(cluster: str, args: NodePoolsArgs) -> dict[str, Any]:
    """The specification of a NodePool (``karpenter.sh/v1``).

    Args:
        cluster: Which cluster of the plan its nodes belong to.
        args: What Karpenter may make.
    """
    limits = REGISTRY_NODE.times(args.scale.nodes_per_cluster).quantities()
    return {
        "template": {
            "metadata": {"labels": {ROLE_LABEL: REGISTRY_ROLE, CLUSTER_LABEL: cluster}},
            "spec": {
                "nodeClassRef": args.node_class.model_dump(),
                "requirements": [
                    *(_one_of(key, values) for key, values in _requirements(args).items()),
                    *(each.model_dump(mode="json", exclude_defaults=True) for each in args.further),
                ],
                "taints": [dict(REGISTRY_TAINT)],
                "expireAfter": f"{args.expiry_hours}h",
                "terminationGracePeriod": drain_at_most(args.scale),
            },
        },
        "disruption": {
            "consolidationPolicy": "WhenEmpty",
            "consolidateAfter": args.empty_after,
            # The spare carries the load of one node that is replaced, and of no second one; empty nodes carry nothing.
            "budgets": [
                {"nodes": "1", "reasons": ["Drifted", "Underutilized"]},
                {"nodes": "100%", "reasons": ["Empty"]},
            ],
        },
        "limits": limits,
    }


def _requirements(args: NodePoolsArgs) -> dict[str, tuple[str, ...]]:
    labels = args.instance_labels
    return {
        "kubernetes.io/os": ("linux",),
        "kubernetes.io/arch": ("amd64",),
        "karpenter.sh/capacity-type": ("on-demand",),  # what may be taken away at any time cannot be N+1
        ZONE_LABEL: args.zones,
        labels.cpu: (str(VCPU_PER_NODE),),
        labels.memory: (_memory(labels.memory_unit),),
    }


def _memory(unit: MemoryUnit) -> str:
    if unit is MemoryUnit.MEBIBYTES:
        return str(MEMORY_GIB_PER_NODE * MEBIBYTES_PER_GIBIBYTE)
    return f"{MEMORY_GIB_PER_NODE}Gi"


def _one_of(key: str, values: tuple[str, ...]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}
