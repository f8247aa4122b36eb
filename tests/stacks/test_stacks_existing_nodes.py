"""Nodes that somebody else made: fit ones are accepted, and all that is wrong with others is said at once."""

from __future__ import annotations

import copy
from typing import Any

import pulumi
import pytest
from stacks_program import PROJECT_ROOT, fit_nodes, run_program, shipped_fleet, with_load

from palisade.rendering import graph


def refusal(fleet: Any, environment: str, **changes: dict[str, Any]) -> str:
    found = {name: {**fit_nodes(fleet)[name], **change} for name, change in changes.items()}
    with pytest.raises(pulumi.RunError) as refused:
        run_program(environment, fleet, found=found)
    return str(refused.value)


def relabelled(fleet: Any, name: str, **labels: str | None) -> dict[str, Any]:
    metadata = copy.deepcopy(fit_nodes(fleet)[name]["metadata"])
    for key, value in labels.items():
        full = {"role": "palisade.dev/role", "zone": "topology.kubernetes.io/zone", "cluster": "palisade.dev/cluster"}
        metadata["labels"].pop(full[key])
        if value is not None:
            metadata["labels"][full[key]] = value
    return {"metadata": metadata}


@pytest.mark.parametrize("environment", ["dev", "local"])
def test_fit_nodes_are_read_and_never_declared(environment: str) -> None:
    found = run_program(environment, shipped_fleet(environment))
    nodes = [each for each in found.resources if each.type == "kubernetes:core/v1:Node"]
    names = [host["name"] for host in shipped_fleet(environment)["hosts"] if host["group"] == "registry"]
    assert [each.name for each in nodes] == names
    assert all(each.is_read for each in nodes)
    (accepted,) = (outputs for urn, outputs in found.component_outputs.items() if urn.endswith("ExistingNodes::nodes"))
    assert accepted == {"nodes": names}


def test_what_the_cluster_says_is_open_where_nobody_asked_it() -> None:
    found = graph.run_program(PROJECT_ROOT, "dev", shipped_fleet("dev"))
    read = [each.name for each in found.resources if each.is_read and each.type.startswith("kubernetes:")]
    assert read == ["registry-1", "registry-2", "registry-3"]


def test_a_node_that_is_too_small_is_refused() -> None:
    said = refusal(
        shipped_fleet("dev"), "dev", **{"registry-2": {"status": {"allocatable": {"cpu": "2", "memory": "7Gi"}}}}
    )
    assert "registry-2: its pods may ask for 2000 m CPU and 7168 MiB" in said
    assert "needs 3800 m CPU and 14080 MiB" in said
    assert "registry-1" not in said


def test_in_a_local_fleet_a_node_needs_what_its_registry_pod_asks_for() -> None:
    fleet = shipped_fleet("local")
    status = {"status": {"allocatable": {"cpu": "1", "memory": str(1536 * 2**20)}}}
    assert run_program("local", fleet, found={"registry-1": {**fit_nodes(fleet)["registry-1"], **status}})
    less = {"status": {"allocatable": {"cpu": "999m", "memory": "1536Mi"}}}
    assert "needs 1000 m CPU and 1536 MiB" in refusal(fleet, "local", **{"registry-1": less})


def test_nothing_is_declared_on_nodes_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = graph.Graph()
    monkeypatch.setattr(graph, "Graph", lambda: declared)
    assert refusal(shipped_fleet("dev"), "dev", **{"registry-2": {"spec": {"taints": []}}})
    assert "registry-2" in {each.name for each in declared.resources if each.is_read}
    assert declared.objects == []


def test_a_node_without_its_labels_or_its_taint_is_refused() -> None:
    fleet = shipped_fleet("dev")
    said = refusal(
        fleet,
        "dev",
        **{
            "registry-1": relabelled(fleet, "registry-1", role="database"),
            "registry-2": relabelled(fleet, "registry-2", zone=None),
            "registry-3": {"spec": {"taints": []}},
        },
    )
    for part in (
        "registry-1: it has no label palisade.dev/role=registry",
        "registry-2: its zone (topology.kubernetes.io/zone) is not labelled, and the zones are eu-central-1a",
        "registry-3: it has no taint palisade.dev/role=registry:NoSchedule",
        "where: fleet.cluster.provisioner: existing",
        "what to do: correct the nodes",
    ):
        assert part in said


def test_with_more_than_one_cluster_each_needs_its_nodes() -> None:
    fleet = with_load("dev", 50_001)
    names = [host["name"] for host in fleet["hosts"] if host["group"] == "registry"]
    said = refusal(fleet, "dev", **{name: relabelled(fleet, name, cluster="1") for name in names})
    assert "0 nodes are labelled palisade.dev/cluster=2, and that cluster needs 7" in said


def test_fewer_hosts_than_the_load_needs_are_refused_before_the_cluster_is_asked() -> None:
    fleet = {**shipped_fleet("dev"), "traffic": {"peak_rps": 50_000}}
    with pytest.raises(pulumi.RunError, match=r"3 registry hosts are listed, and 50,000 requests per second need 11"):
        run_program("dev", fleet)
