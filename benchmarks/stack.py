"""Measures ``pulumi`` with the project's Kubernetes provider against ``kubectl apply`` of the same 500 objects.

Run it on an otherwise idle machine: ``python -m benchmarks.stack`` (about two minutes). The control plane is a real one
without nodes, on loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.page import ROOT, write_table
from palisade.project import Project
from palisade.stack.programs import program_directories
from tests.control_plane import control_plane

NAMESPACES = 10
OBJECTS = 500
MANIFESTS = "manifests.yaml"
PROGRAM = """\
from pathlib import Path

import pulumi
import yaml
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy

KINDS = {kind.__name__: kind for kind in (ConfigMap, Namespace, NetworkPolicy, ServiceAccount)}
namespaces = {}
for one in yaml.safe_load_all(Path("manifests.yaml").read_text()):
    kind, metadata = one.pop("kind"), one["metadata"]
    del one["apiVersion"]
    parent = namespaces.get(metadata.get("namespace"))
    options = pulumi.ResourceOptions(depends_on=[parent] if parent else [])
    made = KINDS[kind](f"{kind}-{metadata.get('namespace', '')}-{metadata['name']}", opts=options, **one)
    if kind == "Namespace":
        namespaces[metadata["name"]] = made
"""


def objects() -> list[dict[str, Any]]:
    """Namespaces, and in each of them three kinds of objects such as the stack declares."""
    made: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"bench-{number}"}}
        for number in range(NAMESPACES)
    ]
    for number in range(OBJECTS - NAMESPACES):
        metadata = {"name": f"object-{number}", "namespace": f"bench-{number % NAMESPACES}"}
        peer = {"podSelector": {"matchLabels": {"app": f"app-{number}"}}}
        rule = {"from": [peer], "ports": [{"port": 8443, "protocol": "TCP"}]}
        contents: list[dict[str, Any]] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"settings": "x" * 1000}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "secrets": [{"name": "none"}]},
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]},
            },
        ]
        made.append({**contents[number % len(contents)], "metadata": metadata})
    return made


def timed(command: list[str], directory: Path, environment: Mapping[str, str]) -> float:
    """How long a command takes, in seconds.

    Raises:
        SystemExit: it failed; a figure of a failed run means nothing.
    """
    print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
    started = time.monotonic()
    finished = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}")
    return time.monotonic() - started


def with_kubectl(directory: Path) -> float:
    """Apply everything with kubectl to an empty cluster; seconds."""
    with control_plane(controllers=True) as plane:
        environment = os.environ | {"KUBECONFIG": str(plane.kubeconfig)}
        kubectl = str(Path(sys.executable).with_name("kubectl"))
        return timed([kubectl, "apply", "--server-side", "--filename", MANIFESTS], directory, environment)


def with_pulumi(directory: Path) -> dict[str, float]:
    """The commands of Pulumi on an empty cluster, in this order; seconds."""
    paths = [str(path) for path in program_directories(Project(ROOT))]
    with control_plane(controllers=True) as plane:
        environment = os.environ | {
            "PATH": os.pathsep.join([*paths, os.environ["PATH"]]),
            "KUBECONFIG": str(plane.kubeconfig),
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{directory}",
            "PULUMI_CONFIG_PASSPHRASE": "of this measurement",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        timed(["pulumi", "stack", "init", "bench"], directory, environment)
        commands = {
            "preview from empty": ["preview"],
            "up from empty": ["up", "--yes", "--skip-preview"],
            "preview with nothing to change": ["preview", "--expect-no-changes"],
            "refresh with nothing to change": ["refresh", "--yes", "--skip-preview"],
        }
        return {
            what: timed(["pulumi", *command, "--non-interactive"], directory, environment)
            for what, command in commands.items()
        }


def main() -> None:
    """Measure and write the table."""
    with tempfile.TemporaryDirectory(prefix="palisade-benchmark-") as place:
        directory = Path(place)
        (directory / MANIFESTS).write_text(yaml.safe_dump_all(objects()), encoding="utf-8")
        (directory / "Pulumi.yaml").write_text(json.dumps({"name": "bench", "runtime": "python"}), encoding="utf-8")
        (directory / "__main__.py").write_text(PROGRAM, encoding="utf-8")
        kubectl = with_kubectl(directory)
        rows = [(f"`kubectl apply --server-side`, {OBJECTS} objects", f"{kubectl:.1f} s")]
        for what, seconds in with_pulumi(directory).items():
            rows.append(
                (f"`pulumi {what}`, {OBJECTS} objects", f"{seconds:.1f} s ({seconds / kubectl:.1f} times kubectl)")
            )
    write_table("stack", "python -m benchmarks.stack", rows)


if __name__ == "__main__":
    main()
