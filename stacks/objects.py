"""What everything that Palisade declares in a cluster has in common."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

LABELS: Mapping[str, str] = {"app.kubernetes.io/managed-by": "palisade", "app.kubernetes.io/part-of": "palisade"}
WHY_ANNOTATION = "palisade.dev/why"
"""Says to whoever reads the object in the cluster what it is for."""

ROLE_LABEL = "palisade.dev/role"
"""On a node: what it is for; also the key of the taint that keeps other pods away."""
REGISTRY_ROLE = "registry"
CLUSTER_LABEL = "palisade.dev/cluster"
"""On a node: which cluster of the plan it belongs to, counted from 1."""
ZONE_LABEL = "topology.kubernetes.io/zone"


class Component(pulumi.ComponentResource):
    """A part of the platform. Its resources are its children and inherit its provider."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__(f"palisade:stacks:{type(self).__name__}", name, {}, opts)

    def child(self, *after: pulumi.Resource) -> pulumi.ResourceOptions:
        """The options of a resource of this component.

        Args:
            after: What must be there first, such as its namespace.
        """
        return pulumi.ResourceOptions(parent=self, depends_on=list(after))


def metadata(
    name: str,
    *,
    why: str,
    namespace: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> ObjectMetaArgs:
    """Name and labels of an object.

    Args:
        name: Its name in the cluster, always given: a name that Pulumi made up would be another one each time.
        why: What it is for, in one sentence.
        namespace: Where it is; None for an object of the whole cluster.
        labels: What it has beside :data:`LABELS`.
        annotations: What it has beside :data:`WHY_ANNOTATION`.
    """
    return ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels={**LABELS, **(labels or {})},
        annotations={WHY_ANNOTATION: why, **(annotations or {})},
    )
