"""An environment as it is shipped, on an empty API server: a checkout of its own, another context, state in files.

What is not tried with it: the names of the edge are taken out of its file, because there is no Vault, so the update
declares no issuer and no certificate and waits for none (``tests/certificates`` has real ones for a local fleet,
``tests/stacks`` what these environments declare); there is no bundle, so no registry; nodes and node pools are objects
that nobody stands behind. That an environment can be begun in the order of ``docs/real-environment.md`` is tried with
the local fleet only, and its inventory before there is a stack in ``test_stack_inventory.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from stack_project import ask_for_no_certificate, copy_checkout

from tests.control_plane import ControlPlane, control_plane
from tests.pins import pins
from tests.provisioning.modules import karpenter_definitions

ROLE = "palisade.dev/role"


@dataclass(frozen=True)
class ShippedEnvironment:
    """The environment, the API server that it builds on, and the commands that a user types."""

    name: str
    root: Path
    plane: ControlPlane
    kubeconfig: Path

    @property
    def fleet(self) -> dict[str, Any]:
        """What its file says."""
        document = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        fleet: dict[str, Any] = document["config"]["palisade:fleet"]
        return fleet

    def run(self, *command: str, standard_input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PALISADE_"))}
        own = {
            "KUBECONFIG": str(self.kubeconfig),
            "PULUMI_CONFIG_PASSPHRASE": "of a test",
            "PULUMI_HOME": str(self.root.parent / "pulumi"),
        }
        return subprocess.run(
            command,
            cwd=self.root,
            env={**kept, **own},
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def answer(self, *command: str, standard_input: str | None = None) -> str:
        """What a command prints that succeeds."""
        completed = self.run(*command, standard_input=standard_input)
        assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-3000:]
        return completed.stdout

    def point_elsewhere(self) -> None:
        """Keep the state in files of the test and pin the images; everything else stays as it is shipped."""
        document = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        state = self.root.parent / "state"
        state.mkdir()
        fleet = document["config"]["palisade:fleet"]
        fleet["state"] = {"backend": state.as_uri(), "secrets_provider": "passphrase"}
        fleet["images"] = pins(self.name, fleet)
        self._file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def add_what_must_be_there(self) -> None:
        """The kinds of Karpenter, and the listed registry hosts as their kubelets would have registered them."""
        definitions = [f"--filename={path}" for path in karpenter_definitions()]
        self.answer("kubectl", "create", *definitions)
        self.answer("kubectl", "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        zones = self.fleet["cluster"]["zones"]
        hosts = [host["name"] for host in self.fleet["hosts"] if host["group"] == "registry"]
        for number, name in enumerate(hosts):
            self._add_node(name, zone=zones[number % len(zones)])

    def _add_node(self, name: str, *, zone: str) -> None:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {ROLE: "registry", "topology.kubernetes.io/zone": zone}},
            "spec": {"taints": [{"key": ROLE, "value": "registry", "effect": "NoSchedule"}]},
        }
        self.answer("kubectl", "create", "--filename=-", standard_input=json.dumps(node))
        size = {"cpu": "4", "memory": "16Gi", "pods": "110"}
        status = json.dumps(
            {"status": {"capacity": size, "allocatable": {**size, "cpu": "3800m", "memory": "14080Mi"}}}
        )
        self.answer("kubectl", "patch", "node", name, "--subresource=status", "--patch", status)

    @property
    def _file(self) -> Path:
        return self.root / f"Pulumi.{self.name}.yaml"


@contextmanager
def shipped_environment(name: str, place: Path) -> Iterator[ShippedEnvironment]:
    """The environment with an empty API server of its own; its stack is not made yet."""
    with control_plane(controllers=True) as plane:
        document = yaml.safe_load(plane.kubeconfig.read_text(encoding="utf-8"))
        document["contexts"][0]["name"] = document["current-context"] = f"palisade-{name}"
        kubeconfig = place / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
        made = ShippedEnvironment(name, copy_checkout(place / "checkout"), plane, kubeconfig)
        made.point_elsewhere()
        ask_for_no_certificate(made.root / f"Pulumi.{name}.yaml")
        made.add_what_must_be_there()
        yield made
