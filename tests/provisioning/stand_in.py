"""A Deployment that stands in for the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from palisade.sizing import Resources

NAMESPACE = "palisade-registry"
_TEMPLATE = Path(__file__).with_name("stand_in.yaml.j2")


def stand_in(cluster: int, pods: int, requests: Resources) -> dict[str, Any]:
    """The Deployment of one registry cluster.

    Args:
        cluster: Which cluster of the plan, from 1; the pods run on its nodes only, one on each.
        pods: How many pods it wants.
        requests: What a pod asks for, and its limits.
    """
    # Kubernetes objects are no markup: there is nothing to escape.
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(_TEMPLATE.read_text())  # noqa: S701
    document: dict[str, Any] = yaml.safe_load(
        template.render(cluster=cluster, pods=pods, requests=requests.quantities())
    )
    return document
