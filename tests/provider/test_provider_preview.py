"""Previews: the server's own dry run, or its schema where a dry run is not possible yet. Nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Engine, RefusedError
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes_provider.values import UNKNOWN
from provider_objects import config_map, definition, deployment


def test_a_preview_shows_what_the_server_fills_in_and_changes_nothing(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    planned = engine.preview("Deployment", deployment("planned", namespace)).value
    assert planned["spec"]["strategy"]["type"] == "RollingUpdate"  # a default of the server
    assert planned["metadata"]["uid"] is UNKNOWN
    assert planned["status"] is UNKNOWN
    with pytest.raises(ApiException):
        cluster.resources.get(api_version="apps/v1", kind="Deployment").get("planned", namespace)


def test_a_preview_of_an_update_changes_nothing(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    made = engine.create("ServiceAccount", {"metadata": {"name": "still", "namespace": namespace}})
    content = {"metadata": {"name": "still", "namespace": namespace, "labels": {"a": "1"}}}
    planned = engine.update(made, content, preview=True)
    assert planned.state.value["metadata"]["labels"] == {"a": "1"}
    live = cluster.resources.get(api_version="v1", kind="ServiceAccount").get("still", namespace)
    assert not live.metadata.labels


def test_the_server_refuses_in_the_preview_already(engine: Engine, namespace: str) -> None:
    content = deployment("typo", namespace)
    content["spec"]["replica"] = 2
    with pytest.raises(RefusedError, match=r"spec\.replica: field not declared in schema"):
        engine.preview("Deployment", content)
    content = deployment("mismatch", namespace)
    content["spec"]["selector"]["matchLabels"]["app"] = "other"
    with pytest.raises(RefusedError, match="`selector` does not match template `labels`"):
        engine.preview("Deployment", content)


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"replica": 2}, "spec.replica: field not declared in schema"),
        ({"replicas": "two"}, "spec.replicas: expected numeric"),
        ({"selector": None}, "spec.selector: this field is missing"),
        ({"strategy": {"rollingUpdate": {"maxSurge": "0"}}}, None),
    ],
)
def test_the_schema_decides_while_the_namespace_is_not_there(
    engine: Engine, change: dict[str, Any], finding: str | None
) -> None:
    content = deployment("early", "not-there-yet")
    content["spec"] |= change
    if finding is None:
        assert engine.preview("Deployment", content).value["metadata"]["name"] == "early"
    else:
        with pytest.raises(RefusedError, match=finding.replace(".", r"\.")):
            engine.preview("Deployment", content)


def test_the_planned_definition_decides_while_it_is_not_there(engine: Engine, namespace: str) -> None:
    engine.preview("CustomResourceDefinition", definition("planned.test", "Planned"))
    metadata = {"name": "one", "namespace": namespace}
    good = {"apiVersion": "planned.test/v1", "metadata": metadata, "spec": {"size": 1}}
    assert engine.preview("Planned", good).value["spec"] == {"size": 1}
    with pytest.raises(RefusedError, match=r"spec\.size: integer is wanted"):
        engine.preview("Planned", {**good, "spec": {"size": "one"}})


def test_a_kind_that_nobody_serves_is_named_in_the_real_run(engine: Engine, namespace: str) -> None:
    content = {"apiVersion": "nowhere.test/v1", "metadata": {"name": "one", "namespace": namespace}}
    engine.preview("Nothing", content)  # a chart or an operator may bring it
    with pytest.raises(RefusedError, match=r"does not know the kind Nothing \(nowhere\.test/v1\)"):
        engine.create("Nothing", content)


def test_what_is_not_known_yet_stays_unknown(engine: Engine, namespace: str) -> None:
    planned = engine.preview(
        "ConfigMap", {"metadata": {"name": "later", "namespace": namespace}, "data": {"a": UNKNOWN}}
    )
    assert planned.value["data"] == {"a": UNKNOWN}


def test_an_object_that_is_replaced_can_be_previewed(engine: Engine, namespace: str) -> None:
    """It is still there, and with other content the server would refuse."""
    content = config_map("again", namespace, a="1")
    content["immutable"] = True
    engine.create("ConfigMap", content)
    assert engine.preview("ConfigMap", {**content, "data": {"a": "2"}}).value["data"] == {"a": "2"}
