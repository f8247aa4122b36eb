"""A real API server with everything that the stack of ``prod`` declares, applied as it is rendered."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.control_plane import ControlPlane, control_plane
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
        rendering = ["palisade", "render", ENVIRONMENT]
        manifests = subprocess.run(rendering, cwd=project, capture_output=True, text=True, check=True).stdout
    with control_plane() as plane:
        made = RenderedCluster(plane, manifests)
        kubectl = ("kubectl", f"--kubeconfig={plane.kubeconfig}")
        definitions = [f"--filename={path}" for path in (*karpenter_definitions(), CERTIFICATE_DEFINITIONS)]
        for command in (
            ["create", *definitions],
            ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"],
            ["apply", "--server-side", "--filename=-"],
        ):
            done = made.run(*kubectl, *command)
            assert done.returncode == 0, done.stderr[-3000:]
        yield made
