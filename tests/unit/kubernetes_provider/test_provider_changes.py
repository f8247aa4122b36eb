"""Differences between two declarations, and the ones that need a new object."""

from __future__ import annotations

import pytest
from kubernetes_provider.changes import Change, compare, immutable_paths, refused_paths
from kubernetes_provider.cluster import Kind
from kubernetes_provider.failures import AnswerError, without_secrets
from kubernetes_provider.paths import Path


def test_the_smallest_places_are_named() -> None:
    old = {"a": 1, "b": {"c": [1, {"d": 2}]}, "gone": {"x": 1}, "same": [1]}
    new = {"a": 2, "b": {"c": [1, {"d": 3}, 4]}, "same": [1], "more": {}}
    assert dict(compare(old, new)) == {
        ("a",): Change.UPDATE,
        ("b", "c", 1, "d"): Change.UPDATE,
        ("b", "c", 2): Change.ADD,
        ("gone",): Change.DELETE,
        ("more",): Change.ADD,
    }


def test_another_type_is_an_update() -> None:
    assert dict(compare({"a": [1]}, {"a": {"b": 1}})) == {("a",): Change.UPDATE}
    assert not dict(compare({"a": None}, {}))


@pytest.mark.parametrize(
    ("kind", "path", "mutable", "expected"),
    [
        (Kind("apps/v1", "Deployment"), ("spec", "selector", "matchLabels", "a"), False, True),
        (Kind("apps/v1", "Deployment"), ("spec", "replicas"), False, False),
        (Kind("v1", "ConfigMap"), ("data", "a"), False, True),
        (Kind("v1", "ConfigMap"), ("data", "a"), True, False),
        (Kind("v1", "ConfigMap"), ("metadata", "name"), True, True),
        (Kind("other.test/v1", "ConfigMap"), ("data", "a"), False, False),
        (Kind("apps/v1", "StatefulSet"), ("spec", "volumeClaimTemplates", 0, "spec"), False, True),
    ],
)
def test_the_table_of_immutable_fields(kind: Kind, path: Path, *, mutable: bool, expected: bool) -> None:
    assert immutable_paths(kind, {path}, mutable=mutable) == ({path} if expected else set())


@pytest.mark.parametrize(
    ("field", "message", "paths"),
    [
        ("spec.template", "Invalid value: ...: field is immutable", {("spec", "template", "a")}),
        ("spec.containers[0].image", "updates to pods are forbidden", {("spec", "containers", 1, "image")}),
        ("spec", "Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden", "all"),
        ("spec.clusterIPs[0]", "Invalid value: []: primary clusterIP can not be changed", set()),
        ("spec.template", "Required value", set()),
    ],
)
def test_what_the_server_says_cannot_change(field: str, message: str, paths: set[Path] | str) -> None:
    changed: set[Path] = {("spec", "template", "a"), ("spec", "containers", 1, "image")}
    cause = {"reason": "FieldValueInvalid", "field": field, "message": message}
    refusal = AnswerError(422, {"message": "invalid", "details": {"causes": [cause]}})
    assert refused_paths(refusal, changed) == (changed if paths == "all" else paths)


def test_longer_secrets_are_left_out_first() -> None:
    assert without_secrets("is abcdef and abc", {"abc", "abcdef", "is"}) == "is [secret] and [secret]"
