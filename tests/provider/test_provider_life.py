"""Create, update, replace, delete: what Pulumi asks, and what is in the cluster afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import MANAGER, Engine, RefusedError, provider
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from provider_objects import config_map, definition, deployment, pods

from tests.control_plane import ControlPlane


def test_an_object_is_created_as_declared_under_the_name_of_the_stack(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    made = engine.create("ConfigMap", config_map("created", namespace, a="1"))
    live = cluster.resources.get(api_version="v1", kind="ConfigMap").get("created", namespace)
    assert made.id == f"{namespace}/created"
    assert live.data.to_dict() == {"a": "1"}
    assert [entry.manager for entry in live.metadata.managedFields] == [MANAGER]
    assert made.state.value["metadata"]["uid"] == live.metadata.uid
    assert made.state.value["__fieldManager"] == MANAGER
    assert "managedFields" not in made.state.value["metadata"]


def test_an_object_without_a_name_gets_one_and_keeps_it(engine: Engine, namespace: str) -> None:
    content = {"metadata": {"namespace": namespace}, "data": {"a": "1"}}
    made = engine.create("ConfigMap", content, name="settings")
    assert made.id == f"{namespace}/settings-01020304"
    changed = engine.diff(made, {**content, "data": {"a": "2"}})
    assert changed.paths == {"data.a": "UPDATE_REPLACE"}
    assert not changed.delete_first  # the new one gets another name


def test_an_object_without_a_namespace_goes_to_the_default_one(engine: Engine) -> None:
    assert engine.create("ServiceAccount", {"metadata": {"name": "homeless"}}).id == "default/homeless"


def test_what_is_there_already_is_not_taken_over(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    maps = cluster.resources.get(api_version="v1", kind="ConfigMap")
    maps.create(body=config_map("theirs", namespace, a="1"), namespace=namespace)
    with pytest.raises(RefusedError, match=r"there already(?s:.*)import_='shop/theirs'"):
        engine.create("ConfigMap", config_map("theirs", namespace, a="2"))
    with pytest.raises(RefusedError, match="there already"):
        engine.preview("ConfigMap", config_map("theirs", namespace, a="2"))
    assert maps.get("theirs", namespace).data.a == "1"


def test_what_this_stack_has_made_and_forgotten_is_said_to_be_its_own(engine: Engine, namespace: str) -> None:
    engine.create("ConfigMap", config_map("forgotten", namespace, a="1"))
    with pytest.raises(RefusedError, match=r"this stack has made it(?s:.*)palisade stack recover test") as refused:
        engine.create("ConfigMap", config_map("forgotten", namespace, a="1"), name="again")
    assert "import_='shop/forgotten'" in str(refused.value)


def test_a_login_that_has_ended_is_named(plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
    kubeconfig["users"][0]["user"] = {"token": "has-ended"}
    ended = tmp_path / "kubeconfig"
    ended.write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    with provider(ended) as refused, pytest.raises(RefusedError) as error:
        refused.check("ConfigMap", config_map("any", "default", a="1"))
    assert str(error.value) == (
        "The Kubernetes API server refuses: Unauthorized\n"
        f"where: {plane.server}\n"
        "what to do: log in to the cluster again, or correct the kubeconfig or its context"
    )


def test_an_update_changes_what_changed_and_removes_what_is_no_longer_declared(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    content = {"metadata": {"name": "account", "namespace": namespace, "labels": {"a": "1", "b": "1"}}}
    made = engine.create("ServiceAccount", content)
    content["metadata"]["labels"] = {"a": "2"}
    assert engine.diff(made, content).paths == {"metadata.labels.a": "UPDATE", "metadata.labels.b": "DELETE"}
    engine.update(made, content)
    live = cluster.resources.get(api_version="v1", kind="ServiceAccount").get("account", namespace)
    assert live.metadata.labels.to_dict() == {"a": "2"}


def test_paths_in_lists_and_with_dots_in_keys_are_readable(engine: Engine, namespace: str) -> None:
    made = engine.create("Deployment", deployment("paths", namespace, replicas=0))
    changed = deployment("paths", namespace, replicas=0, image="registry.local/web@sha256:1")
    changed["metadata"]["labels"] = {"app.kubernetes.io/name": "web"}
    assert engine.diff(made, changed).paths == {
        "spec.template.spec.containers[0].image": "UPDATE",
        "metadata.labels": "ADD",
    }
    labelled = engine.update(made, changed)
    changed["metadata"]["labels"] = {"app.kubernetes.io/name": "shop"}
    assert engine.diff(labelled, changed).paths == {'metadata.labels["app.kubernetes.io/name"]': "UPDATE"}


def test_what_the_server_writes_differently_is_no_difference(engine: Engine, namespace: str) -> None:
    content = deployment("notation", namespace, replicas=0)
    content["spec"]["template"] = pods("notation", requests={"cpu": "1000m", "memory": "1024Mi"})
    made = engine.create("Deployment", content)
    content["spec"]["template"] = pods("notation", requests={"cpu": "1", "memory": "1Gi"})
    assert not engine.diff(made, content).changes
    content["spec"]["revisionHistoryLimit"] = 10  # the default
    assert not engine.diff(made, content).changes


@pytest.mark.parametrize(
    ("kind", "before", "after", "replaced"),
    [
        (
            "ClusterRoleBinding",
            {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}},
            {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}},
            "roleRef.name",
        ),
        ("PriorityClass", {"value": 1}, {"value": 2}, "value"),
    ],
)
def test_a_field_that_cannot_change_means_a_new_object(
    engine: Engine, kind: str, before: dict[str, object], after: dict[str, object], replaced: str
) -> None:
    metadata = {"name": f"replaced-{kind.lower()}"}
    made = engine.create(kind, {"metadata": metadata, **before})
    changed = engine.diff(made, {"metadata": metadata, **after})
    assert changed.replaces == [replaced]
    assert changed.delete_first  # both would have the same name


def test_the_health_check_of_a_load_balancer_never_moves(engine: Engine, namespace: str) -> None:
    metadata = {"name": "balanced", "namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}}
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 443}]}
    made = engine.create("Service", {"metadata": metadata, "spec": spec})
    changed = engine.diff(made, {"metadata": metadata, "spec": {**spec, "healthCheckNodePort": 30256}})
    assert (changed.replaces, changed.delete_first) == (["spec.healthCheckNodePort"], True)


def test_selectors_and_job_templates_mean_a_new_object(engine: Engine, namespace: str) -> None:
    made = engine.create("Deployment", deployment("selector", namespace, replicas=0))
    content = deployment("selector", namespace, replicas=0)
    content["spec"]["selector"]["matchLabels"]["app"] = content["spec"]["template"]["metadata"]["labels"]["app"] = "new"
    assert engine.diff(made, content).replaces == ["spec.selector.matchLabels.app"]
    template = pods("job")
    template["spec"]["restartPolicy"] = "Never"
    job = {"metadata": {"name": "job", "namespace": namespace}, "spec": {"suspend": True, "template": template}}
    made = engine.create("Job", job)
    template["spec"]["containers"][0]["image"] = "registry.local/web@sha256:1"
    assert engine.diff(made, job).replaces == ["spec.template.spec.containers[0].image"]


def test_another_name_means_a_new_object_beside_the_old_one(engine: Engine, namespace: str) -> None:
    made = engine.create("ServiceAccount", {"metadata": {"name": "old", "namespace": namespace}})
    changed = engine.diff(made, {"metadata": {"name": "new", "namespace": namespace}})
    assert (changed.replaces, changed.delete_first) == (["metadata.name"], False)


def test_the_server_is_asked_what_cannot_change(engine: Engine, namespace: str) -> None:
    """No table knows the rules of a custom resource."""
    crd = definition("rules.test", "Fixed")
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"][
        "x-kubernetes-validations"
    ] = [{"rule": "self == oldSelf", "message": "size is immutable"}]
    engine.create("CustomResourceDefinition", crd)
    fixed = {"apiVersion": "rules.test/v1", "metadata": {"name": "one", "namespace": namespace}, "spec": {"size": 1}}
    made = engine.create("Fixed", fixed)
    changed = engine.diff(made, {**fixed, "spec": {"size": 2}})
    assert (changed.replaces, changed.delete_first) == (["spec.size"], True)


def test_a_deleted_object_is_gone_with_all_that_it_made(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    content = deployment("short", namespace, replicas=1)
    content["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    made = engine.create("Deployment", content)
    made.state.value["metadata"].pop("annotations")
    engine.delete(made)
    for kind in ("Deployment", "ReplicaSet"):
        items = cluster.resources.get(api_version="apps/v1", kind=kind).get(namespace=namespace).items
        assert "short" not in " ".join(item.metadata.name for item in items)
    engine.delete(made)  # what is gone already is no error


def test_a_namespace_is_waited_for_until_it_is_gone(engine: Engine, cluster: DynamicClient) -> None:
    made = engine.create("Namespace", {"metadata": {"name": "brief"}})
    engine.create("ConfigMap", config_map("content", "brief", a="1"))
    engine.delete(made)
    with pytest.raises(ApiException) as error:
        cluster.resources.get(api_version="v1", kind="Namespace").get("brief")
    assert error.value.status == 404


def test_what_holds_an_object_is_named_when_it_does_not_go(engine: Engine, namespace: str) -> None:
    content = config_map("held", namespace, a="1")
    content["metadata"]["finalizers"] = ["palisade.test/hold"]
    made = engine.create("ConfigMap", content)
    with pytest.raises(RefusedError, match=r"still there(?s:.*)palisade\.test/hold"):
        engine.delete(made, seconds=0.5)
