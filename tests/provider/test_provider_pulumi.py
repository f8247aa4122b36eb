"""The plain ``pulumi`` command with a small program: what a user types and sees."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from provider_objects import definition

from palisade.project import Project
from palisade.stack.programs import program_directories
from tests.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of this test only
HIDDEN = (PASSWORD, base64.b64encode(PASSWORD.encode()).decode())
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


@dataclass(frozen=True)
class Stack:
    """A project in a temporary directory, with its state beside it."""

    directory: Path
    environment: dict[str, str]

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run ``pulumi``; what it prints, checked for the password that nobody may see."""
        finished = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        printed = finished.stdout + finished.stderr
        assert (finished.returncode != 0) == fails, printed
        assert not [text for text in HIDDEN if text in printed]
        return printed

    def operations(self, *arguments: str) -> dict[str, list[str]]:
        """What a preview would do: the operation and the changed places of each resource that changes."""
        document: dict[str, Any] = json.loads(self.run("preview", "--json", *arguments))
        return {
            step["urn"].split("::")[-1]: [step["op"], *sorted(step.get("detailedDiff") or ())]
            for step in document["steps"]
            if step["op"] not in {"same", "read"}
        }


@pytest.fixture
def stack(plane: ControlPlane, tmp_path: Path) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: plain\nruntime: python\n", encoding="utf-8")
    (tmp_path / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "state").mkdir()
    directories = [str(directory) for directory in program_directories(Project(ROOT))]
    environment = os.environ | {
        "PATH": os.pathsep.join([*directories, os.environ["PATH"]]),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/state",
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(plane.kubeconfig),
        "VALUE": "1",
    }
    made = Stack(tmp_path, environment)
    made.run("stack", "init", "test")
    return made


@pytest.mark.long
def test_a_program_from_nothing_to_nothing(stack: Stack, cluster: DynamicClient) -> None:
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


def test_a_cluster_that_does_not_answer_is_named(stack: Stack) -> None:
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
