"""Karpenter makes exactly the nodes that the sizing names, and takes them away again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from palisade.verification.drift import foreign_fields
from tests.provisioning.environment import NAME, ProvisionedEnvironment
from tests.provisioning.kubectl import Kubectl
from tests.provisioning.machines import ZONES, Machines
from tests.provisioning.registry_nodes import registry_nodes, skew
from tests.provisioning.stand_in import NAMESPACE, stand_in

pytestmark = pytest.mark.long

POOL = "nodepool/palisade-registry-1"
SECONDS = 60


def run_pods(kubectl: Kubectl, environment: ProvisionedEnvironment, pods: int) -> None:
    """Want this many registry pods."""
    kubectl.apply(stand_in(1, pods, environment.requests))


def wait_for_pods(kubectl: Kubectl, pods: int) -> None:
    condition = f"jsonpath={{.status.readyReplicas}}={pods}"
    kubectl.wait(condition, "deployment/registry-1", f"--namespace={NAMESPACE}", seconds=SECONDS)


def wait_for_nodes(kubectl: Kubectl, nodes: int) -> None:
    kubectl.wait(f"jsonpath={{.status.resources.nodes}}={nodes}", POOL, seconds=SECONDS)


def refused_for_the_limit(kubectl: Kubectl) -> int:
    """For how many pods Karpenter says that its limit forbids a node."""
    events = kubectl.objects("events", f"--namespace={NAMESPACE}", "--field-selector=reason=FailedScheduling")
    return len(
        {event["involvedObject"]["name"] for event in events if "exceed limits for nodepool" in event["message"]}
    )


@contextmanager
def empty_nodes_go_at_once(kubectl: Kubectl) -> Iterator[None]:
    """Karpenter does not wait the minute that a rollout may leave a node empty for."""
    patch = ["patch", POOL, "--type=merge", "--patch"]
    pool = json.loads(kubectl.run("get", POOL, "--output=json"))
    before = pool["spec"]["disruption"]["consolidateAfter"]
    kubectl.run(*patch, json.dumps({"spec": {"disruption": {"consolidateAfter": "0s"}}}))
    yield
    kubectl.run(*patch, json.dumps({"spec": {"disruption": {"consolidateAfter": before}}}))


def test_what_karpenter_notes_about_its_nodepool_is_no_difference(
    kubectl: Kubectl, environment: ProvisionedEnvironment
) -> None:
    """The first test here: a later one changes the NodePool by hand, which is a difference."""
    environment.up(4_000)
    kubectl.wait(r"jsonpath={.metadata.annotations.karpenter\.sh/nodepool-hash-version}", POOL, seconds=SECONDS)
    pool = json.loads(kubectl.run("get", POOL, "--output=json", "--show-managed-fields"))
    noted = [f"metadata.annotations.karpenter.sh/{name}" for name in ("nodepool-hash", "nodepool-hash-version")]
    assert foreign_fields(pool, ["pulumi-*"]) == {"karpenter": noted}
    assert environment.reason_of("kubernetes-as-declared") == ""


@pytest.mark.parametrize(("peak_rps", "sized"), [(4_000, 3), (25_000, 6), (50_000, 11)])
def test_a_load_gets_the_sized_number_of_nodes(
    kubectl: Kubectl, environment: ProvisionedEnvironment, peak_rps: int, sized: int
) -> None:
    assert environment.up(peak_rps).nodes == sized
    run_pods(kubectl, environment, sized)
    wait_for_pods(kubectl, sized)
    nodes = registry_nodes(kubectl)
    assert len(nodes) == sized
    assert {(node.cpu, node.memory, node.cluster, node.pods) for node in nodes} == {("4", "16Gi", "1", 1)}
    assert all("palisade.dev/role=registry:NoSchedule" in node.taints for node in nodes)
    assert skew(nodes, ZONES) <= 1


def test_a_cluster_never_grows_past_its_limit_and_the_plan_names_the_load_that_is_not_covered(
    machines: Machines, kubectl: Kubectl, environment: ProvisionedEnvironment
) -> None:
    environment.up(50_000)
    run_pods(kubectl, environment, 14)
    wait_for_pods(kubectl, 11)
    machines.karpenter.wait_until(lambda: refused_for_the_limit(kubectl) == 3, SECONDS)
    assert [node.pods for node in registry_nodes(kubectl)] == [1] * 11
    plan = json.loads(environment.palisade("plan", NAME, "--rps", "60000", "--output", "json"))["environment"]
    assert (plan["most_provisioned_nodes"], plan["covered_rps"], plan["uncovered_rps"]) == (11, 50_000, 10_000)


def test_nodes_go_when_the_load_falls_and_the_others_stay(
    kubectl: Kubectl, environment: ProvisionedEnvironment
) -> None:
    environment.up(50_000)
    run_pods(kubectl, environment, 11)
    wait_for_pods(kubectl, 11)
    before = {node.name for node in registry_nodes(kubectl)}
    environment.up(4_000)
    run_pods(kubectl, environment, 3)
    with empty_nodes_go_at_once(kubectl):
        wait_for_nodes(kubectl, 3)
    after = registry_nodes(kubectl)
    assert {node.name for node in after} < before
    assert [node.pods for node in after] == [1] * 3
