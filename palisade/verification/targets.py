"""What is verified: the hosts of a fleet, and its cluster."""

from __future__ import annotations

from dataclasses import dataclass

from palisade.controls import Control, Scope
from palisade.fleet import Fleet, FleetHost, HostGroup


@dataclass(frozen=True)
class ClusterTarget:
    """The Kubernetes cluster of an environment."""

    name: str = Scope.CLUSTER.value


CLUSTER_TARGET = ClusterTarget()
Target = FleetHost | ClusterTarget


def targets_of(fleet: Fleet, *, cluster: bool) -> tuple[Target, ...]:
    """Everything that can be verified: the hosts as in the fleet, then the cluster.

    Args:
        fleet: The hosts.
        cluster: Whether the environment has a cluster; it may run elsewhere than on hosts of the fleet.
    """
    return (*fleet.hosts, CLUSTER_TARGET) if cluster else fleet.hosts


def applies(control: Control, target: Target, fleet: Fleet) -> bool:
    """Whether a control applies to a target."""
    if isinstance(target, ClusterTarget):
        return Scope.CLUSTER in control.applies_to
    return target.group in control.applies_to or (Scope.NODE in control.applies_to and target in nodes_of(fleet))


def nodes_of(fleet: Fleet) -> tuple[FleetHost, ...]:
    """The hosts on which pods of the fleet's own cluster run; none where the cluster is somebody else's."""
    return fleet.in_group(HostGroup.REGISTRY) if fleet.has_cluster else ()


def nodes_of_others(fleet: Fleet) -> tuple[FleetHost, ...]:
    """The hosts on which pods of somebody else's cluster run: the fleet has pods and no control host."""
    return () if fleet.has_cluster or fleet.networks.pods is None else fleet.in_group(HostGroup.REGISTRY)
