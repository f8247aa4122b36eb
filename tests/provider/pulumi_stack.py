"""A project of a test with the plain ``pulumi`` command: what a user types and sees."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palisade.project import Project
from palisade.stack.programs import program_directories
from tests.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of these tests only
HIDDEN = (PASSWORD, base64.b64encode(PASSWORD.encode()).decode())


@dataclass(frozen=True)
class PlainStack:
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


def plain_stack(place: Path, plane: ControlPlane, program: str) -> PlainStack:
    """A project with a program, whose stack ``test`` is made and builds on a control plane."""
    (place / "Pulumi.yaml").write_text("name: plain\nruntime: python\n", encoding="utf-8")
    (place / "__main__.py").write_text(program, encoding="utf-8")
    (place / "state").mkdir()
    directories = [str(directory) for directory in program_directories(Project(ROOT))]
    environment = os.environ | {
        "PATH": os.pathsep.join([*directories, os.environ["PATH"]]),
        "PULUMI_HOME": str(place / "home"),
        "PULUMI_BACKEND_URL": f"file://{place}/state",
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(plane.kubeconfig),
        "VALUE": "1",
    }
    made = PlainStack(place, environment)
    made.run("stack", "init", "test")
    return made
