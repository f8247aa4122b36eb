"""The checks of a cluster's objects, on a real API server (without nodes) that has what the stack declares."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.dynamic import DynamicClient

from palisade.config import fleet_of, load_configuration
from palisade.controls import load_controls
from palisade.fleet import Fleet
from palisade.project import Project
from palisade.rendering.graph import run_program
from palisade.results import Status
from palisade.verification.cluster import Cluster
from palisade.verification.cluster_access import find_cluster
from palisade.verification.connections import Connections
from palisade.verification.prove import Outcome, prove, selection
from palisade.verification.run import Suite
from palisade.verification.snapshot import restore, take
from palisade.verification.suite import Assignment, assignments
from palisade.verification.waivers import Waivers
from tests.control_plane import control_plane
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT)
MANAGER = "pulumi-palisade-local"
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "registry-1",
        "labels": {"palisade.dev/role": "registry", "topology.kubernetes.io/zone": "local-a"},
    },
    "spec": {"taints": [{"key": "palisade.dev/role", "value": "registry", "effect": "NoSchedule"}]},
}
ORDINARY_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "ordinary-1", "labels": {"topology.kubernetes.io/zone": "local-a"}},
    "spec": {"taints": [{"key": "somebody.example/kept", "effect": "NoSchedule"}]},
}
"""Every cluster outside local has such nodes: for CoreDNS, cert-manager, Karpenter and whatever else."""


PROVEN = (
    "kubernetes-auditor-no-secrets",
    "kubernetes-namespaces-restricted",
    "kubernetes-network-default-deny",
    "kubernetes-nodes-kept-for-the-registry",
    "kubernetes-quotas",
    "kubernetes-refuses-privileged",
)
"""One control for each way to change objects; ``palisade prove local`` proves all of them on the real cluster."""


OF_THE_REGISTRY = ("certificates-", "edge-", "opa-", "registry-", "vault-inside-")
"""Controls of what is not declared here; tests/certificates and the running fleet have it."""


def manifests(state: Path) -> list[dict[str, Any]]:
    """What the program declares for the local environment, in an order in which it can be applied.

    Without the registry and its certificate: here runs no pod, so nothing would sign it and nothing would serve.
    """
    fleet = yaml.safe_load(PROJECT.environment_file("local").read_text())["config"]["palisade:fleet"]
    del fleet["edge"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        objects = [dict(one.inputs) for one in run_program(ROOT, "local", fleet).objects]
    first = ("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    return sorted(objects, key=lambda one: (one["kind"] not in first, one["kind"]))


def apply(client: DynamicClient, manifest: dict[str, Any]) -> None:
    client.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"]).server_side_apply(
        body=manifest,
        name=manifest["metadata"]["name"],
        namespace=manifest["metadata"].get("namespace"),
        field_manager=MANAGER,
        force_conflicts=True,
    )


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return fleet_of(load_configuration(PROJECT, "local"))


@pytest.fixture(scope="module")
def cluster(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    declared = manifests(tmp_path_factory.mktemp("state"))
    with control_plane(controllers=True) as plane:
        context = yaml.safe_load(plane.kubeconfig.read_text())["current-context"]
        found = find_cluster(PROJECT, fleet)
        assert found is not None
        access = replace(found, kubeconfig=plane.kubeconfig, context=context)
        with Cluster(access, lambda: declared) as cluster:
            for manifest in [*declared, NODE, ORDINARY_NODE]:
                apply(cluster._resources, manifest)
            yield cluster


@pytest.fixture(scope="module")
def suite(cluster: Cluster, fleet: Fleet) -> Iterator[Suite]:
    with Connections(fleet) as connections:
        registry = load_controls(ROOT)
        yield Suite(ROOT, registry, connections, Waivers(), "abc", cluster=cluster)


def kubectl(cluster: Cluster, *arguments: str, **variables: str) -> str:
    command = ["kubectl", f"--kubeconfig={cluster.access.kubeconfig}", *arguments]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    return done.stdout


def reason_of(suite: Suite, control: str) -> str:
    suite.forget()
    chosen = assignments(suite.registry, suite.connections.fleet, cluster=True, controls=[control], targets=["cluster"])
    (checked,) = suite.run(chosen)
    assert not checked.crashed, checked.result.reason
    return checked.result.reason


def statuses(suite: Suite, chosen: tuple[Assignment, ...]) -> set[Status]:
    suite.forget()
    return {item.result.status for item in suite.run(chosen)}


def test_what_the_stack_declares_passes_every_control(suite: Suite) -> None:
    chosen = assignments(suite.registry, suite.connections.fleet, cluster=True, targets=["cluster"])
    # An API server that has just got its policies needs a moment until all of them act.
    refusals = tuple(one for one in chosen if one.control.id.startswith("kubernetes-refuses-"))
    wait_until(lambda: statuses(suite, refusals) == {Status.PASS}, "not every policy of admission acts")
    results = [item.result for item in suite.run(chosen)]
    assert len(results) >= 30
    open_ones = {one.control: one.reason for one in results if one.status not in (Status.PASS, Status.NOT_ASSESSABLE)}
    assert {control: why for control, why in open_ones.items() if not control.startswith(OF_THE_REGISTRY)} == {}
    unknown = [one.control for one in results if one.status is Status.NOT_ASSESSABLE]
    assert unknown == ["kubernetes-audit-records-collected"]


def test_changes_are_noticed_and_put_back_exactly(suite: Suite, cluster: Cluster) -> None:
    before = take(cluster)
    chosen = selection(suite.registry, suite.connections.fleet, cluster=True, controls=PROVEN)
    asked: list[str] = []
    run = prove(suite, chosen, harden=lambda: None, require_unchanged=lambda: asked.append("pulumi"))
    assert asked == ["pulumi"]
    assert {one.control: one.reason for one in run.proofs if one.outcome is not Outcome.KILLED} == {}
    assert restore(cluster, before) == []
    # To who applies the same again under the same name nothing has happened: no conflict, nothing to change.
    assert reason_of(suite, "kubernetes-as-declared") == ""


@pytest.mark.parametrize(
    ("arguments", "editor", "named"),
    [
        (
            ("edit", "networkpolicy", "clients-ingress", "--namespace=palisade-registry"),
            "sed -i 's/port: 8443/port: 8080/'",
            "NetworkPolicy palisade-registry/clients-ingress: changed at spec.ingress[0].ports",
        ),
        (
            ("edit", "resourcequota", "room", "--namespace=palisade-agents"),
            "sed -i '/persistentvolumeclaims/d'",
            "ResourceQuota palisade-agents/room: changed at spec.hard.persistentvolumeclaims",
        ),
        (
            ("label", "namespace", "palisade-system", "team=mine"),
            "",
            "Namespace palisade-system: metadata.labels.team was set by kubectl-label",
        ),
        (
            ("delete", "limitrange", "sizes", "--namespace=palisade-system"),
            "",
            "LimitRange palisade-system/sizes is missing",
        ),
    ],
    ids=["a changed value", "a removed value", "an added value", "a removed object"],
)
def test_drift_is_named(suite: Suite, cluster: Cluster, arguments: tuple[str, ...], editor: str, named: str) -> None:
    before = take(cluster)
    try:
        kubectl(cluster, *arguments, KUBE_EDITOR=editor)
        assert named in reason_of(suite, "kubernetes-as-declared")
    finally:
        restore(cluster, before)
    assert reason_of(suite, "kubernetes-as-declared") == ""
