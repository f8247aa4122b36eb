"""Namespaces, their room, and what goes first."""

from __future__ import annotations

import pytest
from kubernetes.utils.quantity import parse_quantity
from stacks_program import graph_of, of_kind, run_program, shipped_fleet

from palisade.rendering.graph import Graph

LEVELS = {"palisade-agents": "privileged", "palisade-registry": "restricted", "palisade-system": "restricted"}


@pytest.fixture(scope="module")
def prod() -> Graph:
    return graph_of("prod", 50_000)


def test_pod_security_is_enforced_audited_and_warned_about_at_a_pinned_version(prod: Graph) -> None:
    namespaces = of_kind(prod, "Namespace")
    assert set(namespaces) == set(LEVELS)
    for name, namespace in namespaces.items():
        labels = namespace.inputs["metadata"]["labels"]
        for mode in ("enforce", "audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}"] == LEVELS[name]
            assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "v1.36"


def test_the_registry_has_room_for_every_node_of_the_plan_twice(prod: Graph) -> None:
    hard = of_kind(prod, "ResourceQuota")["palisade-registry"].inputs["spec"]["hard"]
    assert hard["pods"] == str(2 * 11 + 4)
    assert parse_quantity(hard["requests.cpu"]) >= 2 * 11 * parse_quantity("3400m")
    assert parse_quantity(hard["requests.memory"]) >= 2 * 11 * parse_quantity("13056Mi")
    assert hard["persistentvolumeclaims"] == "0"


def test_every_namespace_has_a_quota_and_a_limit_range(prod: Graph) -> None:
    for kind in ("ResourceQuota", "LimitRange"):
        assert {each.inputs["metadata"]["namespace"] for each in of_kind(prod, kind).values()} == set(LEVELS)


def test_no_pod_may_ask_for_more_than_a_node_can_give_and_what_forgets_gets_little(prod: Graph) -> None:
    for limit_range in of_kind(prod, "LimitRange").values():
        container, pod = limit_range.inputs["spec"]["limits"]
        assert (container["type"], pod["type"]) == ("Container", "Pod")
        assert container["max"] == {"cpu": "3400m", "memory": "13056Mi"}
        assert pod["max"] == {"cpu": "10200m", "memory": "13056Mi"}
        for resource in ("cpu", "memory"):
            amounts = [parse_quantity(container[key][resource]) for key in ("min", "defaultRequest", "default", "max")]
            assert amounts == sorted(amounts)


def test_in_a_local_fleet_pods_are_as_small_as_its_configuration_says() -> None:
    fleet = shipped_fleet("local")
    fleet["local"] = {**fleet["local"], "registry_millicpu": 300, "registry_memory_mib": 700}
    limit_range = of_kind(run_program("local", fleet), "LimitRange")["palisade-registry"]
    assert limit_range.inputs["spec"]["limits"][1]["max"] == {"cpu": "900m", "memory": "700Mi"}


def test_the_agent_comes_before_what_it_watches_and_nothing_is_first_by_default(prod: Graph) -> None:
    classes = {name: each.inputs for name, each in of_kind(prod, "PriorityClass").items()}
    ordered = sorted(classes, key=lambda name: -classes[name]["value"])
    assert ordered == ["palisade-agents", "palisade-registry", "palisade-system"]
    assert not any(each["globalDefault"] for each in classes.values())
    assert all(0 < each["value"] < 1_000_000_000 for each in classes.values())


def test_pods_without_an_account_of_their_own_get_no_token(prod: Graph) -> None:
    accounts = [each.inputs for each in of_kind(prod, "ServiceAccount").values()]
    default = [each for each in accounts if each["metadata"]["name"] == "default"]
    assert {each["metadata"]["namespace"] for each in default} == set(LEVELS)
    assert not any(each["automountServiceAccountToken"] for each in accounts)
