"""The ground that everything stands on: namespaces, how much room each has, and which pods go first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi
from pulumi_kubernetes.core.v1 import (
    LimitRange,
    LimitRangeItemArgs,
    LimitRangeSpecArgs,
    Namespace,
    ResourceQuota,
    ResourceQuotaSpecArgs,
    ServiceAccount,
)
from pulumi_kubernetes.scheduling.v1 import PriorityClass

from palisade.sizing import Resources
from palisade.validation import Section
from stacks.objects import Component, metadata
from stacks.tables import read_table

POD_SECURITY_VERSION = "v1.36"
"""The release whose Pod Security Standards apply: an upgrade of the cluster never changes them silently."""
_MODES = ("enforce", "audit", "warn")
_CONTAINERS_OF_A_POD = 3
"""Each container of a registry pod may use the pod's whole processor time while the others are idle; memory adds up."""
_LIMIT_OVER_REQUEST = 2
"""How much memory containers may use over what they ask for: more, and a busy node kills at random."""


class Amount(Section):
    """Processor time and memory."""

    millicpu: int
    """Thousandths of a vCPU."""
    memory_mib: int
    """MiB."""

    @property
    def resources(self) -> Resources:
        """As sizing counts them."""
        return Resources(self.millicpu, self.memory_mib)


class Room(Section):
    """How much may run in a namespace."""

    pods: int
    pods_per_node: int = 0
    """More pods for each registry node."""
    pod: Amount | None = None
    """What one pod asks for on average; None means as much as a registry pod."""


class NamespaceRow(Section):
    """One namespace."""

    name: str
    why: str
    pod_security: Literal["restricted", "privileged"]
    room: Room
    volume_claims: int


class PriorityClassRow(Section):
    """One priority class."""

    name: str
    value: int
    why: str


class ContainerAmounts(Section):
    """What a container gets that does not say what it needs, and the least it may ask for."""

    default: Amount
    """Its limits."""
    default_request: Amount
    minimum: Amount


class NamespaceTable(Section):
    """``stacks/data/namespaces.yaml``."""

    namespaces: tuple[NamespaceRow, ...]


class SchedulingTable(Section):
    """``stacks/data/scheduling.yaml``."""

    priority_classes: tuple[PriorityClassRow, ...]
    containers: ContainerAmounts


@dataclass(frozen=True)
class PlatformArgs:
    """What the platform is built for."""

    registry_nodes: int
    """Registry nodes in all clusters together."""
    registry_pod: Resources
    """What a registry pod asks for; no pod of the platform may ask for more, because no node has more."""
    adopter: pulumi.ProviderResource
    """The provider for objects that may be there before the stack and that are taken over."""


class Platform(Component):
    """Namespaces with Pod Security, quotas, limit ranges and priority classes."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        rows = read_table("namespaces", NamespaceTable).namespaces
        scheduling = read_table("scheduling", SchedulingTable)
        self.namespaces: Mapping[str, Namespace] = {row.name: self._namespace(row, args.adopter) for row in rows}
        """The namespaces by name, for what must wait until its own is there."""
        for row in rows:
            self._quota(row, args)
            self._limit_range(row, scheduling.containers, args)
            self._default_account(row, args)
        for priority in scheduling.priority_classes:
            PriorityClass(
                priority.name,
                metadata=metadata(priority.name, why=priority.why),
                value=priority.value,
                description=priority.why,
                global_default=False,
                preemption_policy="PreemptLowerPriority",
                opts=self.child(),
            )
        self.register_outputs({"namespaces": sorted(self.namespaces)})

    def _namespace(self, row: NamespaceRow, adopter: pulumi.ProviderResource) -> Namespace:
        security = {f"pod-security.kubernetes.io/{mode}": row.pod_security for mode in _MODES}
        versions = {f"pod-security.kubernetes.io/{mode}-version": POD_SECURITY_VERSION for mode in _MODES}
        # Taken over where it is there: what Vault gives the cluster (palisade secrets apply) may come before the stack.
        opts = pulumi.ResourceOptions(parent=self, provider=adopter)
        return Namespace(row.name, metadata=metadata(row.name, why=row.why, labels={**security, **versions}), opts=opts)

    def _default_account(self, row: NamespaceRow, args: PlatformArgs) -> None:
        """The cluster makes it in every namespace; pods that name no account of their own get no way to the API."""
        opts = pulumi.ResourceOptions(parent=self, provider=args.adopter, depends_on=[self.namespaces[row.name]])
        ServiceAccount(
            row.name,
            metadata=metadata("default", namespace=row.name, why="Pods without an account of their own get no token"),
            automount_service_account_token=False,
            opts=opts,
        )

    def _quota(self, row: NamespaceRow, args: PlatformArgs) -> None:
        room = row.room
        pods = room.pods + room.pods_per_node * args.registry_nodes
        asked = (room.pod.resources if room.pod else args.registry_pod).times(pods)
        requested = asked.quantities()
        ResourceQuota(
            row.name,
            metadata=metadata("room", namespace=row.name, why=f"At most {pods} pods, and what they need"),
            spec=ResourceQuotaSpecArgs(
                hard={
                    "pods": str(pods),
                    "requests.cpu": requested["cpu"],
                    "requests.memory": requested["memory"],
                    "limits.memory": asked.times(_LIMIT_OVER_REQUEST).quantities()["memory"],
                    "persistentvolumeclaims": str(row.volume_claims),
                }
            ),
            opts=self.child(self.namespaces[row.name]),
        )

    def _limit_range(self, row: NamespaceRow, containers: ContainerAmounts, args: PlatformArgs) -> None:
        pod = args.registry_pod
        most = pod.quantities()
        together = Resources(pod.millicpu * _CONTAINERS_OF_A_POD, pod.memory_mib).quantities()
        LimitRange(
            row.name,
            metadata=metadata("sizes", namespace=row.name, why="What forgets to say what it needs gets little"),
            spec=LimitRangeSpecArgs(
                limits=[
                    LimitRangeItemArgs(
                        type="Container",
                        default=containers.default.resources.quantities(),
                        default_request=containers.default_request.resources.quantities(),
                        min=containers.minimum.resources.quantities(),
                        max=most,
                    ),
                    LimitRangeItemArgs(type="Pod", max=together),
                ]
            ),
            opts=self.child(self.namespaces[row.name]),
        )
