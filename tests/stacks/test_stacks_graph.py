"""The whole graph of each environment at each load: what is in it, how it hangs together, and that it is stable."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stacks_program import graph_of, of_kind, run_program, shipped_fleet

from palisade.config import parse_configuration
from palisade.errors import ConfigurationError
from palisade.rendering.graph import Graph
from stacks.network import UNUSED_NAMESPACE

ENVIRONMENTS = ["dev", "local", "prod", "staging"]
LOADS = [1_000, 5_000, 5_001, 50_000, 50_001, 120_000]
SCALES = {1_000: (1, 3), 5_000: (1, 3), 5_001: (1, 3), 50_000: (1, 11), 50_001: (2, 7), 120_000: (3, 9)}
"""Clusters and nodes per cluster of each load, by hand."""
NAMESPACES = {"palisade-agents", "palisade-registry", "palisade-system"}
CLUSTER_WIDE = {
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NodePool",
    "PriorityClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=LOADS)
def graph(environment: str, request: pytest.FixtureRequest) -> Graph:
    return graph_of(environment, request.param)


def providers(graph: Graph) -> dict[str, Any]:
    return {each.name: each.inputs for each in graph.resources if each.type == "pulumi:providers:kubernetes"}


def as_bytes(graph: Graph) -> str:
    return json.dumps([vars(each) for each in graph.resources], sort_keys=True) + json.dumps(graph.outputs)


def test_every_object_belongs_to_a_component_and_uses_the_named_provider(graph: Graph) -> None:
    components = {f"{each.type}::{each.name}" for each in graph.resources if each.is_component}
    providers = [each for each in graph.resources if each.type == "pulumi:providers:kubernetes"]
    assert [each.name for each in providers] == ["adopter", "cluster"]
    for each in graph.resources:
        if each.type.startswith("kubernetes:"):
            assert each.parent.rsplit("$", 1)[1] in components, each.name
            is_adopted = each.type.endswith(":Namespace") or each.inputs.get("metadata", {}).get("name") == "default"
            provider = "adopter" if is_adopted else "cluster"
            assert each.provider.endswith(f"pulumi:providers:kubernetes::{provider}::{provider}-id"), each.name


def test_every_component_says_when_it_is_complete(graph: Graph) -> None:
    components = [each for each in graph.resources if each.is_component]
    assert len(components) >= 4
    assert len(graph.component_outputs) == len(components)


def test_every_object_has_its_name_its_labels_and_says_why_it_is_there(graph: Graph) -> None:
    for each in graph.objects:
        metadata = each.inputs["metadata"]
        assert metadata["name"], each.name
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "palisade"
        assert metadata["labels"]["app.kubernetes.io/part-of"] == "palisade"
        assert len(metadata["annotations"]["palisade.dev/why"]) > 10


def test_no_two_objects_are_the_same_object(graph: Graph) -> None:
    keys = [
        (each.inputs["kind"], each.inputs["metadata"].get("namespace"), each.inputs["metadata"]["name"])
        for each in graph.objects
    ]
    assert len(set(keys)) == len(keys)


def test_what_is_in_a_namespace_waits_for_it(graph: Graph) -> None:
    for each in graph.objects:
        namespace = each.inputs["metadata"].get("namespace")
        assert (namespace is None) is (each.inputs["kind"] in CLUSTER_WIDE), each.name
        if namespace not in {None, UNUSED_NAMESPACE}:  # that one is always there
            assert namespace in NAMESPACES
            assert any(urn.endswith(f":Namespace::{namespace}") for urn in each.dependencies), each.name


def test_nothing_that_is_declared_is_a_secret(graph: Graph) -> None:
    assert not of_kind(graph, "Secret")
    kinds = Graph([each for each in graph.resources if not each.type.endswith(":CustomResourceDefinition")])
    assert not any(word in as_bytes(kinds).lower() for word in ("private key", "client-key-data"))
    assert not [text for each in kinds.objects for text in passwords(each.inputs)]


def passwords(value: Any) -> Iterator[str]:
    """Texts that stand where a password would: under a key of that name, or as the value of such a variable."""
    if isinstance(value, list):
        yield from (text for each in value for text in passwords(each))
    if isinstance(value, dict):
        yield from (text for key, text in value.items() if "password" in key.lower() and isinstance(text, str))
        if "password" in str(value.get("name", "")).lower() and "value" in value:
            yield str(value["value"])
        yield from (text for each in value.values() for text in passwords(each))


def test_a_password_in_plain_text_would_be_seen() -> None:
    variables = {"env": [{"name": "DATABASE_PASSWORD", "value": "a"}, {"name": "OTHER_PASSWORD", "valueFrom": {}}]}
    assert list(passwords({"spec": {**variables, "data": {"adminPassword": "b"}}})) == ["a", "b"]


def test_the_same_configuration_gives_the_same_bytes(environment: str) -> None:
    again = run_program(environment, shipped_fleet(environment))
    assert as_bytes(again) == as_bytes(graph_of(environment))


@pytest.mark.parametrize("environment", ["staging", "prod"])
@pytest.mark.parametrize("rps", LOADS)
def test_karpenter_may_make_exactly_the_nodes_of_the_plan(environment: str, rps: int) -> None:
    graph = graph_of(environment, rps)
    clusters, nodes = SCALES[rps]
    pools = of_kind(graph, "NodePool")
    assert sorted(pools) == [f"palisade-registry-{number}" for number in range(1, clusters + 1)]
    for number, pool in enumerate((pools[name] for name in sorted(pools)), start=1):
        spec = pool.inputs["spec"]
        assert spec["limits"] == {"cpu": str(4 * nodes), "memory": f"{16 * nodes}Gi"}
        assert spec["template"]["metadata"]["labels"]["palisade.dev/cluster"] == str(number)
    assert graph.outputs["plan"]["nodes"] == clusters * nodes


def test_a_node_of_karpenter_is_a_machine_of_4_vcpu_and_16_gib_for_the_registry_alone() -> None:
    spec = of_kind(graph_of("prod", 5_000), "NodePool")["palisade-registry-1"].inputs["spec"]
    template = spec["template"]["spec"]
    assert {each["key"]: (each["operator"], each["values"]) for each in template["requirements"]} == {
        "kubernetes.io/os": ("In", ["linux"]),
        "kubernetes.io/arch": ("In", ["amd64"]),
        "karpenter.sh/capacity-type": ("In", ["on-demand"]),
        "topology.kubernetes.io/zone": ("In", ["eu-central-1a", "eu-central-1b", "eu-central-1c"]),
        "karpenter.k8s.aws/instance-cpu": ("In", ["4"]),
        "karpenter.k8s.aws/instance-memory": ("In", ["16384"]),
        "karpenter.k8s.aws/instance-category": ("In", ["m"]),
        "karpenter.k8s.aws/instance-generation": ("Gt", ["4"]),
    }
    assert template["nodeClassRef"] == {
        "group": "karpenter.k8s.aws",
        "kind": "EC2NodeClass",
        "name": "palisade-registry",
    }
    assert template["taints"] == [{"key": "palisade.dev/role", "value": "registry", "effect": "NoSchedule"}]
    assert spec["template"]["metadata"]["labels"]["palisade.dev/role"] == "registry"
    assert (template["expireAfter"], template["terminationGracePeriod"]) == ("720h", "1h")
    assert spec["disruption"] == {
        "consolidationPolicy": "WhenEmpty",
        "consolidateAfter": "1m",
        "budgets": [
            {"nodes": "1", "reasons": ["Drifted", "Underutilized"]},
            {"nodes": "100%", "reasons": ["Empty"]},
        ],
    }


@pytest.mark.parametrize(("rps", "hours"), [(5_000, 1), (50_000, 2), (120_000, 3)])
def test_nodes_that_expire_together_are_given_time_for_one_pod_after_the_other(rps: int, hours: int) -> None:
    clusters, nodes = SCALES[rps]
    assert clusters * nodes <= 10 * hours
    pools = of_kind(graph_of("prod", rps), "NodePool").values()
    assert {pool.inputs["spec"]["template"]["spec"]["terminationGracePeriod"] for pool in pools} == {f"{hours}h"}


def test_memory_is_asked_for_as_the_cloud_writes_it() -> None:
    fleet = shipped_fleet("prod")
    labels = {
        "cpu": "karpenter.kwok.sh/instance-cpu",
        "memory": "karpenter.kwok.sh/instance-memory",
        "memory_unit": "Gi",
    }
    fleet["cluster"] = {**fleet["cluster"], "instance_labels": labels}
    assert {"key": labels["memory"], "operator": "In", "values": ["16Gi"]} in requirements_of(fleet)


def requirements_of(fleet: dict[str, Any]) -> list[dict[str, Any]]:
    pools = of_kind(run_program("prod", fleet), "NodePool").values()
    found: list[dict[str, Any]] = next(iter(pools)).inputs["spec"]["template"]["spec"]["requirements"]
    return found


def test_what_else_a_machine_must_be_comes_after_what_palisade_asks_for_itself() -> None:
    fleet = shipped_fleet("prod")
    further = [
        {"key": "karpenter.k8s.aws/instance-family", "operator": "NotIn", "values": ["t3", "t3a"]},
        {"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "DoesNotExist"},
    ]
    fleet["cluster"] = {**fleet["cluster"], "instance_requirements": further}
    assert requirements_of(fleet)[6:] == further


def test_what_palisade_asks_for_itself_cannot_be_asked_for_otherwise() -> None:
    fleet = shipped_fleet("prod")
    fleet["cluster"] = {**fleet["cluster"], "instance_requirements": []}
    for own in requirements_of(fleet):
        fleet["cluster"]["instance_requirements"] = [{"key": own["key"], "operator": "Exists"}]
        with pytest.raises(ConfigurationError, match=f"Palisade says itself what {own['key']} must be"):
            parse_configuration(fleet, environment="prod", file="a file")


def test_a_fleet_without_a_cluster_declares_nothing() -> None:
    fleet: Any = shipped_fleet("prod")
    del fleet["cluster"]
    graph = run_program("prod", fleet)
    assert graph.resources == []
    assert set(graph.outputs) == {"apis", "fleet", "plan", "registry"}


def test_the_provider_names_its_cluster_and_its_context() -> None:
    found = providers(graph_of("prod", 5_000))
    same = {"context": "palisade-prod", "clusterIdentifier": "palisade-prod", "enableConfigMapMutable": "true"}
    assert found == {"cluster": same, "adopter": {**same, "upsertExistingObjects": "true"}}


def test_the_local_fleet_uses_its_own_kubeconfig(local_state: Path) -> None:
    for inputs in providers(graph_of("local")).values():
        assert inputs["kubeconfig"] == f"{local_state}/palisade/fleets/local/kubeconfig"


def test_a_named_kubeconfig_is_found_from_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    fleet = shipped_fleet("prod")
    fleet["cluster"] = {**fleet["cluster"], "kubeconfig": "~/.kube/prod"}
    for inputs in providers(run_program("prod", fleet)).values():
        assert inputs["kubeconfig"] == "/home/somebody/.kube/prod"
