"""``kubectl`` on one cluster."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kubectl:
    """The command line client, as a user calls it."""

    kubeconfig: Path

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What a command prints.

        Args:
            arguments: The command line after ``kubectl``.
            given: What it reads from standard input.

        Raises:
            AssertionError: it fails; the message is what it said.
        """
        finished = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, f"kubectl {' '.join(arguments)}: {finished.stderr.strip()}"
        return finished.stdout

    def objects(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """The objects of a kind, as the API server has them."""
        items: list[dict[str, Any]] = json.loads(self.run("get", kind, "--output=json", *arguments))["items"]
        return items

    def apply(self, *documents: dict[str, Any]) -> None:
        """Have these objects in the cluster."""
        given = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self.run("apply", "--server-side", "--filename=-", given=given)

    def wait(self, condition: str, *objects: str, seconds: int) -> None:
        """Wait until objects are in a state.

        Raises:
            AssertionError: they are not within the time.
        """
        self.run("wait", f"--for={condition}", f"--timeout={seconds}s", *objects)
