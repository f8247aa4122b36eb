"""What others do to our objects: refresh, import, and fields that two want."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import KINDS, Engine, RefusedError
from kubernetes.dynamic import DynamicClient
from provider_objects import config_map, deployment


def test_without_a_change_a_refresh_finds_none(engine: Engine, namespace: str) -> None:
    content = deployment("calm", namespace, replicas=0)
    content["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1000m"}}
    made = engine.create("Deployment", content)
    seen = engine.refresh(made)
    assert seen is not None
    assert seen.inputs == made.inputs


def test_a_refresh_shows_changed_and_added_fields(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    made = engine.create("Deployment", deployment("edited", namespace, replicas=0))
    pod = {"hostNetwork": True, "containers": [{"name": "main", "image": "evil"}, {"name": "more", "image": "evil"}]}
    patch = {"metadata": {"labels": {"extra": "yes"}}, "spec": {"template": {"spec": pod}}}
    cluster.resources.get(api_version="apps/v1", kind="Deployment").patch(
        body=patch,
        name="edited",
        namespace=namespace,
        content_type="application/strategic-merge-patch+json",
        field_manager="kubectl-edit",
    )
    seen = engine.refresh(made)
    assert seen is not None
    back = engine.diff(seen, deployment("edited", namespace, replicas=0))
    assert back.paths == {
        "metadata.labels": "DELETE",
        "spec.template.spec.hostNetwork": "DELETE",
        "spec.template.spec.containers[0].image": "UPDATE",
        "spec.template.spec.containers[1]": "DELETE",
    }


def test_a_rule_that_was_added_to_a_role_is_seen(engine: Engine, cluster: DynamicClient) -> None:
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    content = {"metadata": {"name": "reader"}, "rules": [rule]}
    made = engine.create("ClusterRole", content)
    roles = cluster.resources.get(api_version="rbac.authorization.k8s.io/v1", kind="ClusterRole")
    wide = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    roles.patch(body={"rules": [rule, wide]}, name="reader", content_type="application/merge-patch+json")
    seen = engine.refresh(made)
    assert seen is not None
    assert seen.inputs.value["rules"] == [rule, wide]
    assert engine.diff(seen, content).paths == {"rules[1]": "DELETE"}


def test_a_label_of_an_object_without_fields_of_its_own_is_seen(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    """The server does not track who owns what before the first field."""
    content = {"metadata": {"name": "bare", "namespace": namespace}}
    made = engine.create("ServiceAccount", content)
    body = {"metadata": {"labels": {"extra": "yes"}}}
    accounts = cluster.resources.get(api_version="v1", kind="ServiceAccount")
    accounts.patch(body=body, name="bare", namespace=namespace, content_type="application/merge-patch+json")
    seen = engine.refresh(made)
    assert seen is not None
    assert engine.diff(seen, content).paths == {"metadata.labels": "DELETE"}


def test_what_was_deleted_with_kubectl_is_gone(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    made = engine.create("ConfigMap", config_map("stolen", namespace, a="1"))
    cluster.resources.get(api_version="v1", kind="ConfigMap").delete("stolen", namespace)
    assert engine.refresh(made) is None


def test_a_conflict_names_the_other_manager_and_changes_nothing(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    deployments = cluster.resources.get(api_version="apps/v1", kind="Deployment")
    made = engine.create("Deployment", deployment("contested", namespace, replicas=0))
    deployments.patch(
        body={"spec": {"revisionHistoryLimit": 3, "minReadySeconds": 7}},
        name="contested",
        namespace=namespace,
        content_type="application/merge-patch+json",
        field_manager="kubectl-edit",
    )
    content = deployment("contested", namespace, replicas=0)
    content["spec"]["revisionHistoryLimit"] = 5
    for preview in (True, False):
        with pytest.raises(RefusedError, match=r"spec\.revisionHistoryLimit: kubectl-edit"):
            engine.update(made, content, preview=preview)
    assert deployments.get("contested", namespace).spec.revisionHistoryLimit == 3
    content["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    engine.update(made, content)
    assert deployments.get("contested", namespace).spec.revisionHistoryLimit == 5


def test_a_field_of_somebody_else_that_cannot_be_removed_is_told_and_can_be_forced(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    accounts = cluster.resources.get(api_version="v1", kind="ServiceAccount")
    content: dict[str, Any] = {
        "metadata": {"name": "labelled", "namespace": namespace},
        "automountServiceAccountToken": False,
    }
    made = engine.create("ServiceAccount", content)
    accounts.patch(
        body={"metadata": {"labels": {"extra/one": "yes"}}},
        name="labelled",
        namespace=namespace,
        content_type="application/merge-patch+json",
        field_manager="kubectl-label",
    )
    seen = engine.refresh(made)
    assert seen is not None
    with pytest.raises(RefusedError) as refused:
        engine.update(seen, content)
    assert "still there: kubectl-label has set it too" in refused.value.reasons
    forced = {**content, "metadata": {**content["metadata"], "annotations": {"pulumi.com/patchForce": "true"}}}
    engine.update(seen, forced)
    assert not accounts.get("labelled", namespace).metadata.labels


def test_an_object_of_kubectl_is_imported_with_what_the_program_declares(
    engine: Engine, cluster: DynamicClient, namespace: str
) -> None:
    content = deployment("foreign", namespace, replicas=0)
    deployments = cluster.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(body={**content, "apiVersion": "apps/v1", "kind": "Deployment"}, namespace=namespace)
    urn = f"urn:pulumi:test::palisade::kubernetes:{KINDS['Deployment']}:Deployment::foreign"
    imported = engine.read(urn, f"{namespace}/foreign")
    assert imported is not None
    assert imported.inputs.value["spec"]["replicas"] == 0
    assert not {"status", "uid", "managedFields"} & {*imported.inputs.value, *imported.inputs.value["metadata"]}
    assert not engine.diff(imported, content).changes  # defaults of the server need no declaration
    content["spec"]["paused"] = True
    assert engine.diff(imported, content).paths["spec.paused"] == "ADD"


@pytest.mark.parametrize("identifier", ["a/b/c", "/", "shop/"])
def test_an_id_of_the_wrong_form_is_explained(engine: Engine, identifier: str) -> None:
    urn = "urn:pulumi:test::palisade::kubernetes:core/v1:ConfigMap::it"
    with pytest.raises(RefusedError, match=r"is not the id(?s:.*)namespace/name"):
        engine.read(urn, identifier)


def test_a_pending_creation_is_found_by_its_id(engine: Engine, namespace: str) -> None:
    """After kill -9 Pulumi knows the inputs of what it was making, and not whether it is there."""
    made = engine.create("ConfigMap", config_map("pending", namespace, a="1"))
    found = engine.read(made.urn, f"{namespace}/pending", inputs=made.inputs)
    assert found is not None
    assert found.inputs == made.inputs
    assert engine.read(made.urn, f"{namespace}/never-made", inputs=made.inputs) is None
