"""Asks the fleet's own Kubernetes, with the operator's rights and the kubectl that this Palisade was installed with."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from palisade.fleet import Fleet, HostGroup
from palisade.local.places import Places
from palisade.local.processes import Finished, attempt

PROGRAM = "kubectl"
ANSWER_SECONDS = 5
"""How long the API server may take to answer a question; usually it takes a tenth of a second."""
READY = "Ready"


def kubectl(places: Places, *arguments: str) -> Finished:
    """Run kubectl to its end, whatever its end is.

    Args:
        places: The places of the fleet; its kubeconfig is there.
        arguments: What kubectl is told.

    Raises:
        PalisadeError: kubectl is not there.
    """
    beside = shutil.which(PROGRAM, path=str(Path(sys.executable).parent))
    return attempt((beside or PROGRAM, f"--kubeconfig={places.kubeconfig}", *arguments))


def node_states(fleet: Fleet, places: Places) -> dict[str, str]:
    """Each registry host's state as a node: ``Ready``, ``NotReady``, ``Ready, cordoned``, ``absent`` ...

    ``unknown`` if the API server does not answer; empty for a fleet without a cluster.
    """
    if not fleet.has_cluster:
        return {}
    names = [host.name for host in fleet.in_group(HostGroup.REGISTRY)]
    answer = kubectl(places, "get", "nodes", "--output=json", f"--request-timeout={ANSWER_SECONDS}s")
    if not answer.succeeded:
        return dict.fromkeys(names, "unknown")
    found = {node["metadata"]["name"]: node_state(node) for node in json.loads(answer.output)["items"]}
    return {name: found.get(name, "absent") for name in names}


def node_state(node: dict[str, Any]) -> str:
    """A node's state in words.

    Args:
        node: The node as the API server returns it.
    """
    conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", ())}
    ready = READY if conditions.get("Ready") == "True" else "NotReady"
    return f"{ready}, cordoned" if node["spec"].get("unschedulable") else ready
