"""The controls of the registry pods hold for what the stack declares, and each notices what its mutation breaks."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from stacks_program import PROJECT_ROOT
from test_stacks_registry import usual

from palisade.verification.check import Recorder

ENTRIES = yaml.safe_load((PROJECT_ROOT / "policies/controls/registry.yaml").read_text(encoding="utf-8"))
CONTROLS = {entry["id"]: SimpleNamespace(**entry) for entry in ENTRIES}
DIGEST = f"sha256:{'0' * 64}"


class LiveCluster:
    """What the API server would say after the stack was built on two nodes in two zones."""

    def __init__(self) -> None:
        self.listed: dict[str, list[dict[str, Any]]] = {}
        for each in usual().objects:
            self.listed.setdefault(each.inputs["kind"], []).append(copy.deepcopy(dict(each.inputs)))
        self.listed["Node"] = [
            _named(
                f"registry-{number}", {"palisade.dev/role": "registry", "topology.kubernetes.io/zone": f"zone-{number}"}
            )
            for number in (1, 2)
        ]
        self.listed["Pod"] = [self._pod(number) for number in (1, 2)]

    def objects(self, kind: str, _version: str = "v1", *, namespace: str | None = None) -> list[dict[str, Any]]:
        return [one for one in self.listed.get(kind, []) if namespace in (None, one["metadata"].get("namespace"))]

    @property
    def deployment(self) -> Any:
        return self.listed["Deployment"][0]["spec"]

    @property
    def template(self) -> Any:
        return self.deployment["template"]["spec"]

    def _pod(self, number: int) -> dict[str, Any]:
        spec = {**copy.deepcopy(self.template), "nodeName": f"registry-{number}"}
        statuses = [{"name": each["name"], "imageID": f"images.example/x@{DIGEST}"} for each in spec["containers"]]
        pod = _named(f"registry-{number}", {"app.kubernetes.io/name": "registry"})
        pod["metadata"]["namespace"] = "palisade-registry"
        return {**pod, "spec": spec, "status": {"phase": "Running", "containerStatuses": statuses}}


def _named(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


@cache
def checks() -> ModuleType:
    path = PROJECT_ROOT / "tests/verify/test_registry.py"
    specification = importlib.util.spec_from_file_location("checks_of_the_registry", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def check(control: str, cluster: LiveCluster) -> None:
    function = CONTROLS[control].verified_by.rpartition("::")[2]
    getattr(checks(), function)(CONTROLS[control], Recorder(), cluster)


@pytest.mark.parametrize("control", CONTROLS)
def test_it_holds_for_what_the_stack_declares(control: str) -> None:
    check(control, LiveCluster())


def _on_one_node(cluster: LiveCluster) -> None:
    cluster.listed["Pod"][1]["spec"]["nodeName"] = "registry-1"


def _pod_differs(cluster: LiveCluster) -> None:
    cluster.listed["Pod"][1]["spec"]["containers"][2]["securityContext"]["readOnlyRootFilesystem"] = False


def _other_image(cluster: LiveCluster) -> None:
    cluster.listed["Pod"][0]["status"]["containerStatuses"][0]["imageID"] = f"x@sha256:{'1' * 64}"


BROKEN: list[tuple[str, Callable[[LiveCluster], Any], str]] = [
    (
        "registry-pods-restricted",
        lambda one: one.template["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
        "readOnlyRootFilesystem is False in the container envoy of the Deployment",
    ),
    ("registry-pods-restricted", _pod_differs, "False in the container apicurio of registry-2"),
    (
        "registry-pods-restricted",
        lambda one: one.template["containers"].append({**one.template["containers"][0], "name": "more"}),
        "the containers of the Deployment are envoy, opa, apicurio, more",
    ),
    (
        "registry-probes",
        lambda one: one.template["containers"][1].pop("livenessProbe"),
        "livenessProbe.httpGet.port is not set in the container opa of the Deployment",
    ),
    ("registry-one-pod-a-node", lambda one: one.template.pop("affinity"), "podAntiAffinity"),
    ("registry-one-pod-a-node", _on_one_node, "2 registry pods run on registry-1"),
    ("registry-one-pod-a-node", lambda one: one.listed["Node"].pop(), "registry-2, which is no registry node"),
    (
        "registry-replaced-one-by-one",
        lambda one: one.deployment["strategy"]["rollingUpdate"].update(maxUnavailable=2),
        "expected {'type': 'RollingUpdate'",
    ),
    (
        "registry-disruption-budget",
        lambda one: one.listed["PodDisruptionBudget"][0]["spec"].update(maxUnavailable="100%"),
        "spec.maxUnavailable is '100%'",
    ),
    (
        "registry-client-addresses",
        lambda one: one.listed["Service"][0]["spec"].update(externalTrafficPolicy="Cluster"),
        "spec.externalTrafficPolicy is 'Cluster'",
    ),
    (
        "registry-images",
        lambda one: one.template["containers"][1].update(image="images.example/opa:1"),
        "opa is images.example/opa:1, without a digest",
    ),
    ("registry-images", _other_image, "envoy of registry-1 runs sha256:1111"),
    ("registry-images", lambda one: one.listed["Pod"].clear(), "no registry pod runs"),
]


@pytest.mark.parametrize(
    ("control", "break_it", "said"), BROKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_broken_is_noticed(control: str, break_it: Callable[[LiveCluster], Any], said: str) -> None:
    cluster = LiveCluster()
    break_it(cluster)
    with pytest.raises(AssertionError) as noticed:
        check(control, cluster)
    assert said in str(noticed.value)


def test_every_control_is_broken_once() -> None:
    assert {control for control, _, _ in BROKEN} == set(CONTROLS)
