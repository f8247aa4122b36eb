"""The objects of a graph as Kubernetes manifests: for reviewers, for scanners, and for ``kubectl diff``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from palisade.rendering.graph import Graph


def manifests(graph: Graph) -> list[Mapping[str, Any]]:
    """The objects in an order in which a cluster takes them: namespaces, what is of the whole cluster, all else."""
    return sorted((_with_integers(each.inputs) for each in graph.objects), key=_place)


def to_yaml(documents: list[Mapping[str, Any]]) -> str:
    """One YAML text of all documents; the same documents give the same bytes."""
    return yaml.safe_dump_all(documents, explicit_start=True, sort_keys=True, width=120)


def _with_integers(value: Any) -> Any:
    """The same with 3 for 3.0: Pulumi has one kind of number, and Kubernetes wants integers nearly everywhere."""
    if isinstance(value, Mapping):
        return {key: _with_integers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_integers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _place(document: Mapping[str, Any]) -> tuple[bool, bool, str, str, str]:
    metadata = document["metadata"]
    namespace = metadata.get("namespace", "")
    return (document["kind"] != "Namespace", bool(namespace), document["kind"], namespace, metadata["name"])
