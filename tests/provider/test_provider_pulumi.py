"""The plain ``pulumi`` command with a small program: what a user types and sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from provider_objects import definition
from pulumi_stack import HIDDEN, PASSWORD, PlainStack, plain_stack

from tests.control_plane import ControlPlane

PROGRAM = f"""
import os

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret, ServiceAccount
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.yaml import ConfigGroup

space = Namespace("space", metadata={{"name": "plain", "labels": {{"team": "a"}}}})
inside = {{"namespace": space.metadata["name"]}}
mapped = ConfigMap("map", metadata={{**inside, "name": "map"}}, data={{"a": os.environ["VALUE"]}})
ServiceAccount("generated", metadata=inside)
Secret("password", metadata={{**inside, "name": "password"}}, string_data={{"password": "{PASSWORD}"}})
definition = CustomResourceDefinition("definition", **__import__("json").load(open("definition.json")))
CustomResource("thing", api_version="plain.test/v1", kind="Thing", metadata={{**inside, "name": "thing"}},
               spec={{"size": 1}}, opts=pulumi.ResourceOptions(depends_on=[definition]))
ConfigGroup("group", yaml=["apiVersion: v1\\nkind: ConfigMap\\nmetadata: {{name: grouped, namespace: default}}"])
system = Namespace.get("system", "kube-system")
pulumi.export("uid", mapped.metadata["uid"])
pulumi.export("system", system.metadata["labels"])
"""


@pytest.fixture
def stack(plane: ControlPlane, tmp_path: Path) -> PlainStack:
    return plain_stack(tmp_path, plane, PROGRAM)


@pytest.mark.long
def test_a_program_from_nothing_to_nothing(stack: PlainStack, cluster: DynamicClient) -> None:
    (stack.directory / "definition.json").write_text(json.dumps(definition("plain.test", "Thing")), encoding="utf-8")
    maps = cluster.resources.get(api_version="v1", kind="ConfigMap")

    # The preview: the namespace and the definition are not there yet.
    assert {operation for operation, *_ in stack.operations().values()} == {"create"}

    stack.run("up", "--yes", "--skip-preview")
    state = (stack.directory / "state/.pulumi/stacks/plain/test.json").read_text(encoding="utf-8")
    assert '"ciphertext"' in state
    assert not [text for text in HIDDEN if text in state]
    assert maps.get("map", "plain").metadata.uid in state
    assert maps.get("grouped", "default")

    # Nothing to change, until somebody changes something; refresh sees it, and names the place.
    assert stack.operations() == {}
    merge = "application/merge-patch+json"
    maps.patch(
        body={"data": {"a": "9"}}, name="map", namespace="plain", content_type=merge, field_manager="kubectl-edit"
    )
    assert stack.operations("--refresh")["map"] == ["replace", "data.a"]

    # A change that needs a new object under the same name: the old one goes first, also from others' hands.
    stack.environment["VALUE"] = "2"
    uid = maps.get("map", "plain").metadata.uid
    stack.run("up", "--yes", "--skip-preview")
    assert maps.get("map", "plain").data.a == "2"
    assert maps.get("map", "plain").metadata.uid != uid

    stack.run("destroy", "--yes", "--skip-preview")
    with pytest.raises(ApiException):
        cluster.resources.get(api_version="v1", kind="Namespace").get("plain")
    with pytest.raises(ApiException):
        maps.get("grouped", "default")


def test_a_cluster_that_does_not_answer_is_named(stack: PlainStack) -> None:
    (stack.directory / "__main__.py").write_text(
        'from pulumi_kubernetes.core.v1 import ConfigMap\nConfigMap("map", metadata={"name": "map"})\n',
        encoding="utf-8",
    )
    kubeconfig = Path(stack.environment["KUBECONFIG"]).read_text(encoding="utf-8")
    broken = stack.directory / "kubeconfig"
    port = kubeconfig.split("https://127.0.0.1:")[1].split("\n")[0]
    broken.write_text(kubeconfig.replace(f":{port}", ":1"), encoding="utf-8")
    stack.environment["KUBECONFIG"] = str(broken)
    printed = stack.run("preview", fails=True)
    assert "The Kubernetes API server does not answer" in printed
    assert "https://127.0.0.1:1" in printed
    assert "kubernetes_provider" not in printed  # no traceback of the provider; the language host prints its own
