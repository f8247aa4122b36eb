"""How large a fleet must be: one formula, here and nowhere else.

The figures are the mission's:

* a registry node has 4 vCPU and 16 GiB and carries 5,000 requests per second;
* a cluster carries 50,000 requests per second; more load means more clusters of equal load;
* every cluster has one node more than its load and its availability ask for (N+1), so that it carries its load when
  any one node is gone;
* the audit trail keeps one record per request for the retention period (365 days or more).

Everything is computed with whole numbers and fractions; only what is shown is rounded, and always up.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from palisade.config_cluster import Cluster
from palisade.config_sections import Audit, Registry, Traffic

RPS_PER_NODE = 5_000
"""Requests per second that one registry node carries (mission)."""
RPS_PER_CLUSTER = 50_000
"""Requests per second above which load is split over another cluster (mission)."""
VCPU_PER_NODE = 4
"""vCPU of one registry node (mission)."""
MEMORY_GIB_PER_NODE = 16
"""Memory of one registry node in GiB (mission)."""
SPARE_NODES_PER_CLUSTER = 1
"""N+1 (mission)."""

MILLICPU_PER_VCPU = 1_000
MEBIBYTES_PER_GIBIBYTE = 1_024
SECONDS_PER_DAY = 86_400
BYTES_PER_TIB = 2**40
_SHOWN_TIB = Decimal("0.001")


@dataclass(frozen=True)
class Scale:
    """How many nodes carry a load."""

    clusters: int
    nodes_per_cluster: int
    """Including the spare."""

    @property
    def nodes(self) -> int:
        """Registry nodes in all clusters together."""
        return self.clusters * self.nodes_per_cluster

    @property
    def covered_rps(self) -> int:
        """Requests per second up to which this many nodes are enough, with one node of every cluster gone."""
        per_cluster = (self.nodes_per_cluster - SPARE_NODES_PER_CLUSTER) * RPS_PER_NODE
        return self.clusters * min(per_cluster, RPS_PER_CLUSTER)


@dataclass(frozen=True)
class Resources:
    """Processor time and memory: of a node, or asked for by a pod."""

    millicpu: int
    """Thousandths of a vCPU."""
    memory_mib: int
    """MiB."""

    def times(self, count: int) -> Resources:
        """What this many of them are together."""
        return Resources(self.millicpu * count, self.memory_mib * count)

    def quantities(self) -> dict[str, str]:
        """As Kubernetes writes them back: ``4`` and not ``4000m``, so that nothing seems to have changed."""
        vcpu, thousandths = divmod(self.millicpu, MILLICPU_PER_VCPU)
        gibibytes, mebibytes = divmod(self.memory_mib, MEBIBYTES_PER_GIBIBYTE)
        return {
            "cpu": f"{self.millicpu}m" if thousandths else str(vcpu),
            "memory": f"{self.memory_mib}Mi" if mebibytes else f"{gibibytes}Gi",
        }


REGISTRY_NODE = Resources(VCPU_PER_NODE * MILLICPU_PER_VCPU, MEMORY_GIB_PER_NODE * MEBIBYTES_PER_GIBIBYTE)
"""One registry node."""


@dataclass(frozen=True)
class Step:
    """The lowest load that needs more than the present scale."""

    rps: int
    """Requests per second."""
    scale: Scale


@dataclass(frozen=True)
class Sizing:
    """What a load needs."""

    traffic: Traffic
    scale: Scale
    audit_storage_bytes: int
    """What the audit trail takes at the end of the retention period, in bytes, rounded up."""
    next_step: Step
    """Where nodes are added next."""
    next_cluster: Step
    """Where a cluster is added next."""

    @property
    def vcpu(self) -> int:
        """All registry nodes together, in vCPU."""
        return self.scale.nodes * VCPU_PER_NODE

    @property
    def memory_gib(self) -> int:
        """All registry nodes together, in GiB of memory."""
        return self.scale.nodes * MEMORY_GIB_PER_NODE

    @property
    def audit_storage_tib(self) -> Decimal:
        """Audit storage in TiB, rounded up to a thousandth."""
        exact = Decimal(self.audit_storage_bytes) / BYTES_PER_TIB
        return exact.quantize(_SHOWN_TIB, rounding=ROUND_CEILING)

    def document(self) -> dict[str, Any]:
        """The answer for machines; units are in the names."""
        return {
            "peak_rps": self.traffic.peak_rps,
            "average_rps": self.traffic.average_rps,
            **_scale_document(self.scale),
            "vcpu": self.vcpu,
            "memory_gib": self.memory_gib,
            "audit_storage_bytes": self.audit_storage_bytes,
            "audit_storage_tib": float(self.audit_storage_tib),
            "next_step": {"rps": self.next_step.rps, **_scale_document(self.next_step.scale)},
            "next_cluster": {"rps": self.next_cluster.rps, **_scale_document(self.next_cluster.scale)},
        }


def size(traffic: Traffic, audit: Audit, registry: Registry) -> Sizing:
    """Size a fleet.

    Args:
        traffic: Peak load (nodes follow from it) and average load (audit storage follows from it).
        audit: Record size, retention, copies and compression.
        registry: The smallest number of nodes per cluster that availability asks for.
    """
    scale = scale_for(traffic.peak_rps, registry.minimum_nodes)
    next_node_rps = scale.covered_rps + 1
    next_cluster_rps = scale.clusters * RPS_PER_CLUSTER + 1
    return Sizing(
        traffic=traffic,
        scale=scale,
        audit_storage_bytes=audit_storage_bytes(traffic.average_rps, audit),
        next_step=Step(next_node_rps, scale_for(next_node_rps, registry.minimum_nodes)),
        next_cluster=Step(next_cluster_rps, scale_for(next_cluster_rps, registry.minimum_nodes)),
    )


def scale_for(peak_rps: int, minimum_nodes: int) -> Scale:
    """Clusters and nodes for a load.

    Args:
        peak_rps: Requests per second, at least 1.
        minimum_nodes: Nodes per cluster that availability asks for, without the spare.
    """
    clusters = _divided_up(peak_rps, RPS_PER_CLUSTER)
    for_load = _divided_up(peak_rps, clusters * RPS_PER_NODE)
    return Scale(clusters=clusters, nodes_per_cluster=max(minimum_nodes, for_load) + SPARE_NODES_PER_CLUSTER)


def covered_by(nodes: int, most_clusters: int) -> int:
    """Requests per second that this many nodes carry with one node of every cluster gone, split as serves them best.

    Args:
        nodes: Registry nodes, all together.
        most_clusters: How many clusters they may be split over, at least 1; each gets as many nodes as every other.
    """
    possible = (Scale(clusters, nodes // clusters) for clusters in range(1, most_clusters + 1))
    return max(0, *(scale.covered_rps for scale in possible))


def registry_requests(cluster: Cluster) -> Resources:
    """What a registry pod asks for: all that a registry node can give to it.

    The whole node is never free: a pod that asks for 4 vCPU and 16 GiB is never scheduled. What is asked for is what is
    left, so that a node carries one registry pod and no second one.

    Args:
        cluster: What a node keeps for itself and what its DaemonSets ask for.
    """
    shares = (cluster.node_reserved, cluster.daemonsets)
    return Resources(
        millicpu=REGISTRY_NODE.millicpu - sum(share.millicpu for share in shares),
        memory_mib=REGISTRY_NODE.memory_mib - sum(share.memory_mib for share in shares),
    )


def audit_storage_bytes(average_rps: int, audit: Audit) -> int:
    """What the audit trail of a load takes at the end of the retention period, in bytes, rounded up.

    Args:
        average_rps: Requests per second, averaged over the retention period; each leaves one record.
        audit: Record size, retention, copies and compression.
    """
    records = average_rps * SECONDS_PER_DAY * audit.retention_days
    return ceil(Fraction(records * audit.record_bytes * audit.replicas) / Fraction(audit.compression_ratio))


def _divided_up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def _scale_document(scale: Scale) -> dict[str, int]:
    return {"clusters": scale.clusters, "nodes_per_cluster": scale.nodes_per_cluster, "nodes": scale.nodes}
