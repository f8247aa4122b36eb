"""Secrets stay secret: in the state, in differences and in errors."""

from __future__ import annotations

import base64
import json

import pytest
from conftest import Engine, RefusedError
from google.protobuf.json_format import MessageToDict
from kubernetes.dynamic import DynamicClient
from kubernetes_provider.values import encode

PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of this test only
ENCODED = base64.b64encode(PASSWORD.encode()).decode()


def test_the_content_of_a_secret_is_marked_although_the_program_did_not(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    content = {"metadata": {"name": "marked", "namespace": namespace}, "stringData": {"password": PASSWORD}}
    planned = engine.preview("Secret", content)
    made = engine.create("Secret", content)
    seen = engine.refresh(made)
    assert seen is not None
    for properties in (planned, made.inputs, made.state, seen.inputs, seen.state):
        assert ("data",) in properties.secrets
        assert properties.value["data"] == {"password": ENCODED}
        visible = {key: value for key, value in properties.value.items() if (key,) not in properties.secrets}
        assert PASSWORD not in json.dumps(visible, default=str)
        assert ENCODED not in json.dumps(visible, default=str)
    live = cluster.resources.get(api_version="v1", kind="Secret").get("marked", namespace)
    assert live.data.to_dict() == {"password": ENCODED}


def test_a_key_that_is_no_longer_declared_leaves_the_secret(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    content = {"metadata": {"name": "keys", "namespace": namespace}, "stringData": {"a": "1", "b": "2"}}
    made = engine.create("Secret", content)
    engine.update(made, {**content, "stringData": {"a": "1"}})
    live = cluster.resources.get(api_version="v1", kind="Secret").get("keys", namespace)
    assert list(live.data.to_dict()) == ["a"]


def test_what_the_program_marks_stays_marked(engine: Engine, namespace: str) -> None:
    content = {"metadata": {"name": "config", "namespace": namespace}, "data": {"url": PASSWORD, "open": "yes"}}
    made = engine.create("ConfigMap", content, secrets=(("data", "url"),))
    seen = engine.refresh(made)
    assert seen is not None
    for properties in (made.inputs, made.state, seen.inputs, seen.state):
        assert properties.secrets == {("data", "url")}
    message = json.dumps(MessageToDict(encode(made.state.value, made.state.secrets)))
    assert message.count(PASSWORD) == 1  # inside the secret
    assert "1b47061264138c4ac30d75fd1eb44270" in message


def test_errors_do_not_quote_secrets(engine: Engine, namespace: str) -> None:
    """The server quotes what it refuses: here the whole value of a label."""
    content = {"metadata": {"name": "quoted", "namespace": namespace, "labels": {"token": f"{PASSWORD} !"}}}
    with pytest.raises(RefusedError, match=r"metadata\.labels") as refused:
        engine.create("ServiceAccount", content, secrets=(("metadata", "labels", "token"),))
    assert PASSWORD not in str(refused.value)
    assert "[secret]" in str(refused.value)
