"""A real API server with everything that the stack of ``prod`` declares, applied as it is rendered."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.control_plane import ControlPlane, control_plane
from tests.local_state import write_authority
from tests.pins import pinned_project
from tests.provisioning.modules import karpenter_definitions

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "prod"
CERTIFICATE_DEFINITIONS = ROOT / "stacks/data/cert_manager/definitions.yaml"
"""The kinds of cert-manager, which a cluster of this environment has already."""


@dataclass(frozen=True)
class RenderedCluster:
    """The API server, and what it was given."""

    plane: ControlPlane
    manifests: str
    """YAML."""

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the manifests as its input."""
        return subprocess.run(
            command, cwd=ROOT, input=self.manifests, capture_output=True, text=True, timeout=300, check=False
        )


@contextmanager
def rendered_cluster() -> Iterator[RenderedCluster]:
    """The manifests on an API server of their own; without controllers, so nothing happens to them."""
    with TemporaryDirectory() as directory:
        project = pinned_project(ROOT, ENVIRONMENT, Path(directory) / "pinned")
        state = Path(directory) / "state"
        write_authority(state, ENVIRONMENT)
        variables = {**os.environ, "XDG_STATE_HOME": str(state)}
        rendering = ["palisade", "render", ENVIRONMENT]
        done = subprocess.run(rendering, cwd=project, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    with control_plane() as plane:
        made = RenderedCluster(plane, done.stdout)
        kubectl = ("kubectl", f"--kubeconfig={plane.kubeconfig}")
        definitions = [f"--filename={path}" for path in (*karpenter_definitions(), CERTIFICATE_DEFINITIONS)]
        for command in (
            ["create", *definitions],
            ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"],
            ["apply", "--server-side", "--filename=-"],
        ):
            applied = made.run(*kubectl, *command)
            assert applied.returncode == 0, applied.stderr[-3000:]
        yield made
