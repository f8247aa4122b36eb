"""An operation ends when the object is ready; when it is not in time, the reason is told.

There is no kubelet here: what one would write to the status of pods is written by the tests, everything else is done
by the real controllers and the real scheduler.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import Engine, Managed, RefusedError, provider
from kubernetes.dynamic import DynamicClient
from kubernetes_provider.values import decode
from provider_objects import definition, deployment, pods

from tests.control_plane import ControlPlane

MERGE = "application/merge-patch+json"


@contextmanager
def kubelet(cluster: DynamicClient, namespace: str, app: str, status: Mapping[str, Any]) -> Iterator[None]:
    """Gives every pod of an application this status as soon as it is there."""
    resource = cluster.resources.get(api_version="v1", kind="Pod")
    stopped = threading.Event()

    def work() -> None:
        for event in resource.watch(namespace=namespace, label_selector=f"app={app}", timeout=30):
            pod = event["raw_object"]
            if event["type"] == "ADDED":
                path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
                cluster.request("PATCH", path, body={"status": dict(status)}, content_type=MERGE)
            if stopped.is_set():
                return

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work)
        yield
        stopped.set()
        # One more event, so that the watch above ends.
        resource.create(
            body={**pods(app), "metadata": {"name": f"{app}-end", "labels": {"app": app}}}, namespace=namespace
        )


RUNNING = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
}


def waiting(reason: str, message: str, **more: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 3,
        "state": {"waiting": {"reason": reason, "message": message}},
        **more,
    }
    return {"phase": "Pending", "containerStatuses": [container]}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_rollout_is_over_when_its_pods_are_available(
    engine: Engine, cluster: DynamicClient, namespace: str, kind: str
) -> None:
    name = f"rolled-{kind.lower()}"
    content = deployment(name, namespace)
    if kind == "StatefulSet":
        content["spec"]["serviceName"] = name
    with kubelet(cluster, namespace, name, RUNNING):
        made = engine.create(kind, content)
    assert made.state.value["status"]["readyReplicas"] == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (waiting("ImagePullBackOff", "manifest unknown"), "container main: ImagePullBackOff: manifest unknown"),
        (
            waiting(
                "CrashLoopBackOff",
                "back-off 5m0s",
                lastState={"terminated": {"exitCode": 3, "reason": "Error"}},
            ),
            "container main ended with exit code 3 (Error)",
        ),
    ],
)
def test_a_missing_image_and_a_crash_loop_are_named(
    engine: Engine, cluster: DynamicClient, namespace: str, status: Mapping[str, Any], reason: str
) -> None:
    name = f"failing-{len(reason)}"
    with kubelet(cluster, namespace, name, status), pytest.raises(RefusedError) as refused:
        engine.create("Deployment", deployment(name, namespace), seconds=3)
    assert "not ready within 3 s: 0 of 1 pods are new and available" in refused.value.reasons
    assert reason in refused.value.reasons
    partial = refused.value.partial
    assert partial is not None
    assert partial.id == f"{namespace}/{name}"  # it is in the state, or nobody would delete it
    assert partial.properties.fields["kind"].string_value == "Deployment"


def test_a_pod_that_no_node_takes_is_named(engine: Engine, namespace: str) -> None:
    pod = {"metadata": {"name": "unscheduled", "namespace": namespace}, "spec": pods("unscheduled")["spec"]}
    with pytest.raises(RefusedError) as refused:
        engine.create("Pod", pod, seconds=3)
    assert "Unschedulable: no nodes available to schedule pods" in refused.value.reasons


@pytest.mark.parametrize("kind", ["Deployment", "Job"])
def test_an_exceeded_quota_is_named(engine: Engine, kind: str) -> None:
    namespace = f"quota-{kind.lower()}"
    engine.create("Namespace", {"metadata": {"name": namespace}})
    quota = {"metadata": {"name": "none", "namespace": namespace}, "spec": {"hard": {"pods": "0"}}}
    assert engine.create("ResourceQuota", quota).state.value["status"]["hard"] == {"pods": "0"}
    content = deployment("web", namespace)
    if kind == "Job":
        content = {"metadata": content["metadata"], "spec": {"template": pods("web")}}
        content["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    with pytest.raises(RefusedError) as refused:
        engine.create(kind, content, seconds=3)
    assert "exceeded quota: none" in refused.value.reasons


def test_a_rollout_that_is_past_its_own_deadline_is_not_waited_for_any_longer(engine: Engine, namespace: str) -> None:
    content = deployment("late", namespace)
    content["spec"]["progressDeadlineSeconds"] = 1
    started = time.monotonic()
    with pytest.raises(RefusedError) as refused:
        engine.create("Deployment", content, seconds=60)
    assert "has timed out progressing" in refused.value.reasons
    assert time.monotonic() - started < 30


def test_a_definition_is_served_when_it_is_created(engine: Engine, namespace: str) -> None:
    engine.create("CustomResourceDefinition", definition("served.test", "Thing"))
    thing = {"apiVersion": "served.test/v1", "metadata": {"name": "one", "namespace": namespace}, "spec": {"size": 1}}
    made = engine.create("Thing", thing)
    assert engine.diff(made, {**thing, "spec": {"size": 2}}).paths == {"spec.size": "UPDATE"}


def test_names_that_are_taken_end_the_waiting_for_a_definition(engine: Engine) -> None:
    engine.create("CustomResourceDefinition", definition("taken.test", "First"))
    second = definition("taken.test", "Second")
    second["spec"]["names"]["kind"] = "First"
    with pytest.raises(RefusedError) as refused:
        engine.create("CustomResourceDefinition", second)
    assert "its names are not accepted" in refused.value.reasons


def test_expressions_with_wrong_types_are_named(engine: Engine) -> None:
    rules = [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "object.spec.replica > 1"}],
    }
    policy = {"metadata": {"name": "typo"}, "spec": spec}
    with pytest.raises(RefusedError) as refused:
        engine.create("ValidatingAdmissionPolicy", policy)
    assert "undefined field 'replica'" in refused.value.reasons
    spec["validations"] = [{"expression": "object.spec.replicas > 1"}]
    assert engine.create("ValidatingAdmissionPolicy", {**policy, "metadata": {"name": "typed"}}).id == "typed"


def test_an_api_without_a_server_is_named(engine: Engine) -> None:
    spec = {
        "group": "absent.test",
        "version": "v1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "service": {"name": "absent", "namespace": "default"},
        "insecureSkipTLSVerify": True,
    }
    with pytest.raises(RefusedError) as refused:
        engine.create("APIService", {"metadata": {"name": "v1.absent.test"}, "spec": spec}, seconds=2)
    assert "condition Available is not True (ServiceNotFound" in refused.value.reasons


def test_a_claim_that_waits_for_its_first_pod_is_ready(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    cluster.resources.get(api_version="storage.k8s.io/v1", kind="StorageClass").create(
        body={
            "metadata": {"name": "late"},
            "provisioner": "palisade.test/none",
            "volumeBindingMode": "WaitForFirstConsumer",
        }
    )
    claim = {
        "metadata": {"name": "claim", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    claim["spec"]["storageClassName"] = "late"
    assert engine.create("PersistentVolumeClaim", claim).state.value["status"]["phase"] == "Pending"
    claim = {"metadata": {"name": "lost", "namespace": namespace}, "spec": {**claim["spec"], "storageClassName": "no"}}
    with pytest.raises(RefusedError) as refused:
        engine.create("PersistentVolumeClaim", claim, seconds=2)
    assert 'storageclass.storage.k8s.io "no" not found' in refused.value.reasons


def test_annotations_say_how_long_and_for_what_is_waited(engine: Engine, namespace: str) -> None:
    content = deployment("annotated", namespace)
    content["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    made = engine.create("Deployment", content)
    content["metadata"]["annotations"] = {"pulumi.com/timeoutSeconds": "1"}
    with pytest.raises(RefusedError) as refused:
        engine.update(made, content)
    assert "not ready within 1 s" in refused.value.reasons
    content["metadata"]["annotations"] = {"pulumi.com/waitFor": "condition=Available=False"}
    engine.update(made, content)


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        ("pulumi.com/timeoutSeconds", "10m", "'10m' is not a number"),
        ("pulumi.com/waitFor", "Ready", "'Ready' is not something that can be waited for"),
    ],
)
def test_annotations_that_nobody_could_follow_are_refused_before_anything_is_done(
    engine: Engine, cluster: DynamicClient, namespace: str, annotation: str, value: str, problem: str
) -> None:
    content = deployment("unclear", namespace)
    content["metadata"]["annotations"] = {annotation: value}
    for attempt in (engine.preview, engine.create):
        with pytest.raises(RefusedError, match=problem):
            attempt("Deployment", content)
    there = cluster.resources.get(api_version="apps/v1", kind="Deployment").get(namespace=namespace).items
    assert "unclear" not in {item.metadata.name for item in there}


def test_an_object_that_is_made_and_cannot_be_read_is_in_the_state_all_the_same(
    engine: Engine, plane: ControlPlane, namespace: str
) -> None:
    rules = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "patch"]}]
    engine.create("ClusterRole", {"metadata": {"name": "blind"}, "rules": rules})
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "blind"}
    role = {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "blind"}
    engine.create("ClusterRoleBinding", {"metadata": {"name": "blind"}, "subjects": [subject], "roleRef": role})
    with (
        provider(plane.kubeconfig_of("blind"), upsertExistingObjects=True) as blind,
        pytest.raises(RefusedError) as refused,
    ):
        blind.create("Deployment", deployment("unseen", namespace))
    assert "what has become of it cannot be read" in refused.value.reasons
    assert 'User "blind" cannot get resource "deployments"' in refused.value.reasons
    assert refused.value.partial is not None
    assert refused.value.partial.id == f"{namespace}/unseen"


def test_a_rollout_that_failed_is_waited_for_again(engine: Engine, cluster: DynamicClient, namespace: str) -> None:
    """Its image has come meanwhile; the declaration, and so the generation, stay the same."""
    content = deployment("again", namespace)
    content["spec"]["progressDeadlineSeconds"] = 1
    with pytest.raises(RefusedError, match="is there, but not as it should be") as refused:
        engine.create("Deployment", content, seconds=60)
    partial = refused.value.partial
    assert partial is not None
    assert "has timed out progressing" in refused.value.reasons
    urn, inputs = engine.check("Deployment", content)
    failed = Managed(urn, partial.id, inputs, decode(partial.properties))
    with pytest.raises(RefusedError) as refused:
        engine.update(failed, content, seconds=2)
    assert "not ready within 2 s: 0 of 1 pods are new and available" in refused.value.reasons
    with kubelet(cluster, namespace, "again", RUNNING):
        made = engine.update(failed, content)
    assert made.state.value["status"]["readyReplicas"] == 1
