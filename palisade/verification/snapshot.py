"""Remembers the objects of a cluster and puts them back exactly, owners of fields included.

A proof changes objects with kubectl, so that other field managers own what they changed; a program that never forces
(``pulumi up``) would then refuse to change it back. What is put back here looks to it as if nothing had happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palisade.verification.cluster import Cluster

KINDS = (
    ("v1", "Namespace"),
    ("v1", "Node"),
    ("v1", "ServiceAccount"),
    ("v1", "ResourceQuota"),
    ("v1", "LimitRange"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("policy/v1", "PodDisruptionBudget"),
    ("v1", "Pod"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("cert-manager.io/v1", "Certificate"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
)
"""Version and kind of what a proof may change, in the order in which objects are put back."""
_OF_THE_SERVER = ("resourceVersion", "uid", "creationTimestamp", "generation", "deletionTimestamp")
_UNTOUCHED = {"Pod": "controllers make pods, and end them, at any time"}
"""Kinds of which only additions are taken back."""

Key = tuple[str, str, str, str]
"""Version, kind, namespace (empty for an object of the whole cluster), name."""
Snapshot = dict[Key, dict[str, Any]]


def take(cluster: Cluster) -> Snapshot:
    """All objects of :data:`KINDS` as they are now."""
    cluster.forget()
    return {_key(one): one for version, kind in KINDS for one in cluster.objects(kind, version)}


def restore(cluster: Cluster, before: Snapshot) -> list[str]:
    """Put everything back that differs from a snapshot.

    Args:
        cluster: The cluster of the snapshot.
        before: What :func:`take` returned.

    Returns:
        What was done, a line per object; empty if nothing had changed.

    Raises:
        DynamicApiError: the API server refuses it.
    """
    after = take(cluster)
    done = []
    for key in [key for key in after if key not in before]:
        if _is_own(after[key]):
            continue
        version, kind, namespace, name = key
        options = {"gracePeriodSeconds": 0} if kind == "Pod" else {}
        cluster.resource(kind, version).delete(name=name, namespace=namespace or None, body=options or None)
        done.append(f"deleted {_words(key)}")
    for key, remembered in before.items():
        found = after.get(key)
        wanted = _node(remembered, found) if key[1] == "Node" and found else remembered
        if key[1] in _UNTOUCHED or _content(wanted) == (_content(found) if found else None):
            continue
        _put_back(cluster, key, wanted, found)
        done.append(f"put {_words(key)} back")
    cluster.forget()
    return done


def _put_back(cluster: Cluster, key: Key, wanted: dict[str, Any], found: dict[str, Any] | None) -> None:
    version, kind, namespace, name = key
    resource = cluster.resource(kind, version)
    metadata = {name: value for name, value in wanted["metadata"].items() if name not in _OF_THE_SERVER}
    fields = metadata.pop("managedFields", [])
    body = {**wanted, "metadata": metadata}
    if found is None:
        resource.create(body=body, namespace=namespace or None)
    else:
        # Whoever changed it in between is not overwritten.
        metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        resource.replace(body=body, namespace=namespace or None)
    # A change of values moves their ownership; a change of nothing but the owners keeps what it says.
    resource.patch(
        name=name,
        namespace=namespace or None,
        body=[{"op": "replace", "path": "/metadata/managedFields", "value": fields}],
        content_type="application/json-patch+json",
    )


def _node(remembered: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """A node as it is now, with the labels and taints that it had; of what it reports itself nothing is old."""

    def taints(node: Mapping[str, Any], *, of_kubernetes: bool) -> list[Any]:
        listed = node["spec"].get("taints") or []
        return [one for one in listed if one["key"].startswith("node.kubernetes.io/") is of_kubernetes]

    return {
        **found,
        "metadata": {**found["metadata"], "labels": remembered["metadata"].get("labels", {})},
        "spec": {
            **found["spec"],
            "taints": taints(remembered, of_kubernetes=False) + taints(found, of_kubernetes=True),
        },
    }


def _key(one: Mapping[str, Any]) -> Key:
    return (one["apiVersion"], one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])


def _words(key: Key) -> str:
    _, kind, namespace, name = key
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _content(one: Mapping[str, Any]) -> str:
    """What of an object a person sets: without what the server and the controllers say about it."""
    metadata = {name: value for name, value in one["metadata"].items() if name not in _OF_THE_SERVER}
    metadata["managedFields"] = [
        {name: value for name, value in entry.items() if name != "time"}
        for entry in metadata.get("managedFields", [])
        if "subresource" not in entry
    ]
    return json.dumps({**one, "metadata": metadata, "status": None}, sort_keys=True)


def _is_own(one: Mapping[str, Any]) -> bool:
    """Whether the control plane itself makes the object whenever it wants to."""
    return bool(one["metadata"].get("ownerReferences")) or one["metadata"]["name"] == "kube-root-ca.crt"
