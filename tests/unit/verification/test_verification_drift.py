"""Which fields of an object differ from what was declared, and who owns them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palisade.controls import load_controls
from palisade.verification.declared import manifests_of
from palisade.verification.drift import changed_paths, field_paths, foreign_fields, title

ROOT = Path(__file__).resolve().parents[3]
FIELDS = {
    "f:metadata": {"f:labels": {".": {}, "f:team": {}}},
    "f:spec": {
        "f:ports": {".": {}, 'k:{"port":443,"protocol":"TCP"}': {".": {}, "f:port": {}}},
        "f:finalizers": {'v:"kubernetes"': {}},
    },
}
PATHS = ["metadata.labels.team", "spec.finalizers[kubernetes]", "spec.ports[port=443,protocol=TCP].port"]


def an_object(spec: Any, **metadata: Any) -> dict[str, Any]:
    return {"kind": "Thing", "metadata": {"name": "one", "namespace": "here", **metadata}, "spec": spec}


def owned(manager: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}


def test_names() -> None:
    assert title(an_object({})) == "Thing here/one"
    assert title({"kind": "Namespace", "metadata": {"name": "here"}}) == "Namespace here"


@pytest.mark.parametrize(
    ("live", "declared", "paths"),
    [
        ({"hard": {"pods": "4"}}, {"hard": {"pods": "4"}}, []),
        ({"hard": {"pods": "5"}}, {"hard": {"pods": "4"}}, ["spec.hard.pods"]),
        ({"hard": {}}, {"hard": {"pods": "4"}}, ["spec.hard.pods"]),
        ({"hard": {"pods": "4", "cpu": "1"}}, {"hard": {"pods": "4"}}, ["spec.hard.cpu"]),
        ({"ports": [{"port": 1}, {"port": 3}]}, {"ports": [{"port": 1}, {"port": 2}]}, ["spec.ports[1].port"]),
        ({"ports": [{"port": 1}]}, {"ports": []}, ["spec.ports"]),
        ({"hard": None}, {"hard": {"pods": "4"}}, ["spec.hard"]),
    ],
    ids=["same", "changed", "removed", "added", "in a list", "another length", "another kind"],
)
def test_changed_paths(live: Any, declared: Any, paths: list[str]) -> None:
    assert changed_paths(an_object(live), an_object(declared)) == paths


def test_what_the_server_says_is_no_change() -> None:
    live = {
        **an_object({}, resourceVersion="7", generation=2, managedFields=[owned("a", FIELDS)]),
        "status": {"ok": True},
    }
    assert changed_paths(live, an_object({}, resourceVersion="6", generation=1)) == []
    assert changed_paths(an_object({}, labels={"a": "b"}), an_object({})) == ["metadata.labels"]


def test_fields_are_named_as_paths() -> None:
    assert sorted(field_paths(FIELDS)) == PATHS


def test_fields_of_others() -> None:
    live = an_object(
        {},
        managedFields=[
            owned("pulumi-palisade-local", FIELDS),
            owned("kubectl-edit", FIELDS),
            owned("kubectl-edit", {"f:spec": {"f:replicas": {}}}),
            owned("hpa", FIELDS, subresource="scale"),
        ],
    )
    assert foreign_fields(live, ["pulumi-*"]) == {"kubectl-edit": sorted([*PATHS, "spec.replicas"])}
    assert foreign_fields(live, ["*"]) == {}
    assert foreign_fields(an_object({}), []) == {}


HASH = {"f:karpenter.sh/nodepool-hash": {}, "f:karpenter.sh/nodepool-hash-version": {}}
"""What Karpenter notes about a NodePool: sigs.k8s.io/karpenter v1.8.0, pkg/controllers/nodepool/hash."""


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    (control,) = (each for each in load_controls(ROOT).controls if each.id == "kubernetes-as-declared")
    return control.expected


def finalizer(name: str) -> dict[str, Any]:
    return {"f:metadata": {"f:finalizers": {".": {}, f'v:"{name}"': {}}}}


@pytest.mark.parametrize(
    ("kind", "manager", "fields", "foreign"),
    [
        ("NodePool", "karpenter", {"f:metadata": {"f:annotations": HASH}}, []),
        (
            "NodePool",
            "karpenter",
            {"f:metadata": {"f:annotations": HASH}, "f:spec": {"f:limits": {"f:cpu": {}}}},
            ["spec.limits.cpu"],
        ),
        (
            "Namespace",
            "karpenter",
            {"f:metadata": {"f:annotations": {"f:karpenter.sh/nodepool-hash": {}}}},
            ["metadata.annotations.karpenter.sh/nodepool-hash"],
        ),
        ("Service", "controller", finalizer("service.k8s.aws/resources"), []),
        ("NetworkPolicy", "controller", finalizer("networking.k8s.aws/resources"), []),
        ("Service", "controller", finalizer("mine"), ["metadata.finalizers[mine]"]),
        (
            "Service",
            "kubectl-patch",
            finalizer("service.k8s.aws/resources"),
            ["metadata.finalizers[service.k8s.aws/resources]"],
        ),
    ],
)
def test_some_may_own_a_few_fields_of_a_kind(
    expected: dict[str, Any], kind: str, manager: str, fields: dict[str, Any], foreign: list[str]
) -> None:
    live = {**an_object({}, managedFields=[owned(manager, fields)]), "kind": kind}
    found = foreign_fields(live, expected["owners"], expected["field_owners"])
    assert found == ({manager: foreign} if foreign else {})


def test_manifests_of_an_exported_state() -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "here"}}
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc"}
    resources = [
        {"type": "pulumi:pulumi:Stack"},
        {"type": "pulumi:providers:kubernetes", "inputs": {"kubeconfig": "{}"}},
        {"type": "palisade:stacks:Platform"},
        {"type": "kubernetes:core/v1:Namespace", "inputs": {**namespace, "__initialApiVersion": "v1"}},
        {"type": "kubernetes:core/v1:Node", "external": True, "inputs": {**namespace, "kind": "Node"}},
        {"type": "kubernetes:core/v1:Secret", "inputs": {**namespace, "kind": "Secret", "data": secret}},
        {"type": "kubernetes:core/v1:ConfigMap", "delete": True, "inputs": {**namespace, "kind": "ConfigMap"}},
    ]
    state = json.loads(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    assert list(manifests_of(state)) == [namespace]
    assert list(manifests_of({"deployment": {}})) == []
