"""What in a live object differs from its declaration, and what does not."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_provider.live import declared_of, foreign_owners, refreshed_inputs
from kubernetes_provider.paths import Path

INPUTS = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"replicas": 1, "containers": [{"name": "a", "cpu": "1000m"}, {"name": "b", "cpu": "1"}]},
}
STATE = {
    "metadata": {"name": "web", "uid": "1", "labels": {"app": "web"}},
    "spec": {"replicas": 1, "default": True, "containers": [{"name": "a", "cpu": "1"}, {"name": "b", "cpu": "1"}]},
}


def owned(live: dict[str, Any], manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Update", "fieldsV1": fields, **more}
    return {**live, "metadata": {**live["metadata"], "managedFields": [{"manager": "us", "operation": "Apply"}, entry]}}


def test_an_unchanged_object_keeps_its_notation_and_gets_no_defaults() -> None:
    assert refreshed_inputs(INPUTS, STATE, {**STATE, "status": {"ready": 1}}, "us") == INPUTS


def test_changed_and_missing_fields_are_seen_and_items_are_matched_by_name() -> None:
    live = {
        "metadata": {"name": "web", "uid": "1"},
        "spec": {"replicas": 3, "default": False, "containers": [{"name": "b", "cpu": "2"}, {"name": "a", "cpu": "1"}]},
    }
    seen = refreshed_inputs(INPUTS, STATE, owned(live, "kube-controller-manager", {}), "us")
    assert seen == {
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "containers": [{"name": "a", "cpu": "1000m"}, {"name": "b", "cpu": "2"}]},
    }


ADDED = {"f:spec": {"f:host": {}, "f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:cpu": {}}}}}


@pytest.mark.parametrize(
    ("manager", "more", "is_seen"),
    [
        ("kubectl-edit", {}, True),
        ("kube-controller-manager", {}, False),
        ("kubectl-edit", {"subresource": "status"}, False),
        ("us", {}, False),
    ],
)
def test_fields_that_people_add_are_seen(manager: str, more: dict[str, str], *, is_seen: bool) -> None:
    containers = [*STATE["spec"]["containers"], {"name": "c", "cpu": "9", "image": "default"}]
    live = {**STATE, "spec": {**STATE["spec"], "host": True, "containers": containers}}
    seen = refreshed_inputs(INPUTS, STATE, owned(live, manager, ADDED, **more), "us")
    assert (seen["spec"].get("host") is True) == is_seen
    assert ({"name": "c", "cpu": "9"} in seen["spec"]["containers"]) == is_seen


def test_what_controllers_inject_by_design_is_not_seen() -> None:
    live = {**STATE, "spec": {**STATE["spec"], "caBundle": "abc"}}
    fields = {"f:spec": {"f:caBundle": {}}, "f:metadata": {"f:annotations": {"f:x": {}}}}
    assert refreshed_inputs(INPUTS, STATE, owned(live, "injector", fields), "us") == INPUTS


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        (("spec", "host"), ["kubectl-edit"]),
        (("spec", "containers", 2), ["kubectl-edit"]),
        (("spec", "containers", 2, "image"), []),
        (("spec", "containers", 0), []),
        (("spec", "replicas"), []),
    ],
)
def test_owners_of_a_place(path: Path, owners: list[str]) -> None:
    live = {**STATE, "spec": {"host": True, "containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}}
    assert foreign_owners(owned(live, "kubectl-edit", ADDED), "us", path) == owners


def test_the_declaration_of_an_imported_object_has_nothing_that_only_the_server_writes() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    live = {**STATE, "status": {}, "metadata": {**STATE["metadata"], "annotations": annotations, "generation": 2}}
    assert declared_of(live) == {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": STATE["spec"]}
