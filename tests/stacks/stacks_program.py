"""Runs the Pulumi program for tests: with the configurations that are shipped, and with nodes that it can find."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from palisade.rendering import graph
from palisade.rendering.graph import Declared, Graph
from palisade.sizing import RPS_PER_CLUSTER
from tests.pins import pins

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def run_program(environment: str, fleet: Any, *, found: Mapping[str, Mapping[str, Any]] | None = None) -> Graph:
    """Run ``stacks/__main__.py`` as an update: the registry hosts are found as nodes, fit unless a test says not."""
    nodes = fit_nodes(fleet) if fleet and "cluster" in fleet else {}
    return graph.run_program(PROJECT_ROOT, environment, fleet, found={**nodes, **(found or {})})


@cache
def graph_of(environment: str, rps: int | None = None) -> Graph:
    """The graph of an environment as it is shipped, or for another peak; run once, for tests that only look at it."""
    return run_program(environment, shipped_fleet(environment) if rps is None else with_load(environment, rps))


def shipped_fleet(environment: str, **changes: Any) -> Any:
    """``palisade:fleet`` of an environment that is shipped, its images pinned, with other sections."""
    text = (PROJECT_ROOT / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8")
    fleet = yaml.safe_load(text)["config"]["palisade:fleet"]
    return {**fleet, "images": pins(environment, fleet), **changes}


def with_load(environment: str, rps: int) -> Any:
    """A shipped fleet for another peak, with as many registry hosts as it needs where hosts are listed."""
    fleet = copy.deepcopy(shipped_fleet(environment, traffic={"peak_rps": rps}))
    if fleet["cluster"]["provisioner"] == "existing" and "local" not in fleet:
        fleet["networks"]["fleet"] = "10.20.0.0/16"
        fleet["database"]["allowed_sources"] = ["10.20.0.0/16"]
        others = [host for host in fleet["hosts"] if host["group"] != "registry"]
        fleet["hosts"] = others + [
            {"name": f"registry-{number}", "group": "registry", "address": f"10.20.1.{number}"}
            for number in range(1, 28)
        ]
    return fleet


def registry_hosts(fleet: Any) -> list[str]:
    """The names of the registry hosts."""
    return [host["name"] for host in fleet.get("hosts", ()) if host["group"] == "registry"]


def fit_nodes(fleet: Any) -> dict[str, dict[str, Any]]:
    """A node for each registry host, spread over zones and clusters, that fits what the fleet asks for."""
    zones, clusters = fleet["cluster"]["zones"], -(-fleet["traffic"]["peak_rps"] // RPS_PER_CLUSTER)
    return {
        name: node(name, zone=zones[number % len(zones)], cluster=str(number % clusters + 1))
        for number, name in enumerate(registry_hosts(fleet))
    }


def node(name: str, *, zone: str, cluster: str = "1", cpu: str = "3900m", memory: str = "15Gi") -> dict[str, Any]:
    """A node as a cluster shows it."""
    labels = {
        "palisade.dev/role": "registry",
        "palisade.dev/cluster": cluster,
        "topology.kubernetes.io/zone": zone,
    }
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [{"key": "palisade.dev/role", "value": "registry", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": cpu, "memory": memory}},
    }


def of_kind(found: Graph, kind: str) -> dict[str, Declared]:
    """The objects of one kind, by their names in Pulumi."""
    return {each.name: each for each in found.objects if each.inputs["kind"] == kind}
