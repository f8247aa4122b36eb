"""Declarations that several tests use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def pods(app: str, *, image: str = "registry.local/web@sha256:0", requests: Mapping[str, str] | None = None) -> Any:
    """A pod template."""
    container: dict[str, Any] = {"name": "main", "image": image}
    if requests:
        container["resources"] = {"requests": dict(requests)}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}}


def deployment(name: str, namespace: str, *, replicas: int = 1, image: str = "registry.local/web@sha256:0") -> Any:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pods(name, image=image),
        },
    }


def definition(group: str, kind: str, *, scope: str = "Namespaced") -> dict[str, Any]:
    """A CustomResourceDefinition with one field, spec.size."""
    plural = f"{kind.lower()}s"
    properties = {"spec": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}}
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
            ],
        },
    }
