"""The cluster of the local fleet, as its operator uses it: kubectl, and pods that say who they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import ENVIRONMENT, ROOT

from palisade.local.places import Places

NAMESPACE = "cluster-test"
KUBECTL = str(Path(sys.executable).parent / "kubectl")
RETURN_SECONDS = 180
"""How long the pods of a host may take to come back: they start all at once, on the processors of all hosts."""
REGISTRY_TAINT = {"key": "palisade.dev/role", "operator": "Exists"}


def kubectl(*arguments: str, stdin: str | None = None, seconds: float = 90) -> subprocess.CompletedProcess[str]:
    """Run kubectl with the fleet's kubeconfig, in the namespace of the tests."""
    own = (KUBECTL, f"--kubeconfig={Places.of(ENVIRONMENT).kubeconfig}", f"--namespace={NAMESPACE}")
    return subprocess.run(
        [*own, *arguments], input=stdin, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
    )


def succeed(*arguments: str, stdin: str | None = None, seconds: float = 90) -> str:
    """The output of a kubectl that must succeed."""
    finished = kubectl(*arguments, stdin=stdin, seconds=seconds)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def get(*arguments: str) -> Any:
    """What kubectl gets, as a document."""
    return json.loads(succeed("get", *arguments, "--output=json"))


def apply(*objects: dict[str, Any]) -> None:
    """Apply objects."""
    succeed("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def image(name: str) -> str:
    """The reference of an image of the fleet's own registry."""
    index = json.loads((Places.of(ENVIRONMENT).container_images / name / "index.json").read_text(encoding="utf-8"))
    return f"registry.palisade.internal/palisade/{name}@{index['manifests'][0]['digest']}"


def pod_template(name: str, *command: str) -> dict[str, Any]:
    """A pod of busybox that the strictest Pod Security level admits, as a template."""
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [REGISTRY_TAINT],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": name,
                    "image": image("busybox"),
                    "command": list(command),
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "nodeTaintsPolicy": "Honor",
                    "labelSelector": {"matchLabels": {"app": name}},
                }
            ],
        },
    }


def deployment(name: str, *command: str) -> dict[str, Any]:
    """Two such pods, one on each node."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, *command),
        },
    }


def allow(pods: str, **source: Any) -> dict[str, Any]:
    """A NetworkPolicy: these pods are reached from the source, and from nowhere else."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": pods},
        "spec": {
            "podSelector": {"matchLabels": {"app": pods}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [source]}] if source else [],
        },
    }


def every_deployment_has_its_pods() -> bool:
    """Whether all pods that Deployments want are ready."""
    found = get("deployments", "--all-namespaces")["items"]
    return all(one["status"].get("readyReplicas", 0) >= one["spec"]["replicas"] for one in found)


def pods_by_node(name: str) -> dict[str, str]:
    """The running pods of a deployment: node to name of the pod."""
    pods = get("pods", f"--selector=app={name}", "--field-selector=status.phase=Running")["items"]
    return {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods}
