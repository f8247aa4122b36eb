"""What the cluster says about the registry pods, for the checks of them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from palisade.verification.cluster import Cluster
from palisade.verification.readings import ReadingFailedError

NAMESPACE = "palisade-registry"
NAME = "registry"
_LABEL = ("app.kubernetes.io/name", NAME)
_NODE_LABEL = ("palisade.dev/role", "registry")


def one(cluster: Cluster, kind: str, version: str) -> dict[str, Any]:
    """The object of this kind that is the registry's.

    Raises:
        ReadingFailedError: there is none.
    """
    found = next((each for each in cluster.objects(kind, version, namespace=NAMESPACE) if _name(each) == NAME), None)
    if found is None:
        raise ReadingFailedError(f"there is no {kind} {NAMESPACE}/{NAME}")
    return found


def template(cluster: Cluster) -> dict[str, Any]:
    """The specification of the pods that the Deployment makes.

    Raises:
        ReadingFailedError: there is no Deployment.
    """
    spec: dict[str, Any] = one(cluster, "Deployment", "apps/v1")["spec"]["template"]["spec"]
    return spec


def running(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The specification of each registry pod that runs and is not about to end, by its name."""
    return {_name(pod): pod["spec"] for pod in _pods(cluster)}


def placed(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """The name and the address of the registry pod that runs on each node, by the node."""
    return {pod["spec"]["nodeName"]: (_name(pod), str(pod["status"].get("podIP", ""))) for pod in _pods(cluster)}


def file(cluster: Cluster, name: str, key: str) -> str:
    """A file of a registry pod, as its ConfigMap holds it.

    Args:
        cluster: Where.
        name: The ConfigMap.
        key: The file.

    Raises:
        ReadingFailedError: it is not there.
    """
    return _entry(cluster, name, "data", key)


def binary_file(cluster: Cluster, name: str, key: str) -> bytes:
    """The same of a file that is no text.

    Raises:
        ReadingFailedError: it is not there.
    """
    return b64decode(_entry(cluster, name, "binaryData", key))


def digests(cluster: Cluster) -> dict[str, dict[str, str]]:
    """The digest of the image that each container of each running pod has, as its node tells it."""
    return {
        _name(pod): {
            status["name"]: str(status["imageID"]).rpartition("@")[2]
            for status in pod["status"].get("containerStatuses") or ()
        }
        for pod in _pods(cluster)
    }


def zones(cluster: Cluster, label: str) -> dict[str, str]:
    """The zone of each registry node.

    Args:
        cluster: Where.
        label: The label that holds it.
    """
    nodes = cluster.objects("Node")
    return {_name(node): str(_labels(node).get(label, "")) for node in nodes if _has(node, _NODE_LABEL)}


def settings(document: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The values at these paths (keys with dots between them), without those that are not there."""
    found = {path: _at(document, path) for path in paths}
    return {path: value for path, value in found.items() if value is not None}


def _entry(cluster: Cluster, name: str, field: str, key: str) -> str:
    maps = cluster.objects("ConfigMap", namespace=NAMESPACE)
    entries = next((each.get(field) for each in maps if _name(each) == name), None) or {}
    if key not in entries:
        raise ReadingFailedError(f"the ConfigMap {NAMESPACE}/{name} has no {key}")
    return str(entries[key])


def _at(document: Any, path: str) -> Any:
    for key in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(key)
    return document


def _pods(cluster: Cluster) -> list[dict[str, Any]]:
    return [
        pod
        for pod in cluster.objects("Pod", namespace=NAMESPACE)
        if _has(pod, _LABEL)
        and pod["status"].get("phase") == "Running"
        and not pod["metadata"].get("deletionTimestamp")
    ]


def _has(found: Mapping[str, Any], label: tuple[str, str]) -> bool:
    return bool(_labels(found).get(label[0]) == label[1])


def _labels(found: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = found["metadata"].get("labels") or {}
    return labels


def _name(found: Mapping[str, Any]) -> str:
    return str(found["metadata"]["name"])
