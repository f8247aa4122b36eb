"""Reads Kubernetes manifests as the policy pack gets them: plain mappings, from YAML or from Pulumi's engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Manifest = Mapping[str, Any]

_POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"), ("spec", "template")
    ),
}
"""Where each kind holds the pod that it is or makes."""


def section(manifest: Manifest, *path: str) -> Manifest:
    """The section at this path; empty where there is none."""
    found: Any = manifest
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def entries(manifest: Manifest, *path: str) -> Sequence[Any]:
    """The list at this path; empty where there is none."""
    found = section(manifest, *path[:-1]).get(path[-1])
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def pod_of(manifest: Manifest) -> Manifest:
    """The pod specification that an object holds; empty for an object that makes no pods."""
    path = _POD_TEMPLATES.get(str(manifest.get("kind")))
    return {} if path is None else section(manifest, *path, "spec")


def lasting_containers(manifest: Manifest) -> Iterator[Manifest]:
    """Containers and init containers."""
    pod = pod_of(manifest)
    yield from entries(pod, "containers")
    yield from entries(pod, "initContainers")


def containers(manifest: Manifest) -> Iterator[Manifest]:
    """All containers of a pod, those for debugging included."""
    yield from lasting_containers(manifest)
    yield from entries(pod_of(manifest), "ephemeralContainers")


def namespace(manifest: Manifest) -> str:
    """The namespace that an object names; empty where it names none."""
    return str(section(manifest, "metadata").get("namespace", ""))


def name(manifest: Manifest) -> str:
    """The name that an object has; empty while it has none."""
    return str(section(manifest, "metadata").get("name", ""))


def manifests_of(resource_type: str, properties: Manifest) -> Iterator[Manifest]:
    """The objects that a Pulumi resource declares.

    Args:
        resource_type: Pulumi's type, such as ``kubernetes:apps/v1:Deployment``.
        properties: Its inputs.

    Yields:
        The object, or each object of a list. Nothing for other providers' resources, and nothing for ``...Patch``
        resources: they hold a part of an object, and only the cluster sees the whole.
    """
    package, _, kind = resource_type.rpartition(":")
    if not package.startswith("kubernetes:") or kind.endswith("Patch"):
        return
    if kind.endswith("List"):
        for item in entries(properties, "items"):
            yield {"kind": kind.removesuffix("List"), **item}
        return
    yield {"kind": kind, **{key: properties[key] for key in properties if key != "kind"}}
