"""An environment whose registry nodes Karpenter makes: a copy of ``prod`` that points at a cluster of the test."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import yaml

from palisade.config import FleetConfiguration, fleet_of, load_configuration
from palisade.controls import load_controls
from palisade.project import Project
from palisade.sizing import Resources, Scale, registry_requests, scale_for
from palisade.verification.cluster import Cluster
from palisade.verification.cluster_access import find_cluster
from palisade.verification.connections import Connections
from palisade.verification.declared import declared_objects
from palisade.verification.run import Suite
from palisade.verification.suite import assignments
from palisade.verification.waivers import Waivers
from tests.control_plane import ControlPlane
from tests.control_plane.plane import CONTEXT
from tests.pins import pins
from tests.provisioning.machines import INSTANCE_LABELS, INSTANCE_REQUIREMENTS, NODE_CLASS, ZONES
from tests.provisioning.modules import PROJECT

NAME = "simulated"
_LINKED = ("palisade", "policies", "stacks", "templates", "tools")
"""What the program and its policies read from the project."""
_SECONDS = 300
_PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "of a test"}


@dataclass
class ProvisionedEnvironment:
    """The environment and its stack, in a project of its own; the checkout is not written to."""

    project: Project
    built_for: int | None = None
    """Which load the stack has been built for, in requests per second."""

    def up(self, peak_rps: int) -> Scale:
        """Have the stack for a load: ``pulumi up``, as a user of ``palisade stack up`` gets it; once for the same load.

        Returns:
            What the load needs: the limit of what Karpenter may make.

        Raises:
            AssertionError: it fails; the message is what it said.
        """
        if peak_rps != self.built_for:
            self.declare(peak_rps)
            self.palisade("stack", "up", NAME, "--yes", "--skip-preview")
            self.built_for = peak_rps
        return scale_for(peak_rps, self.configuration.registry.minimum_nodes)

    def declare(self, peak_rps: int) -> None:
        """Write a load into the file of the environment, and build nothing."""
        file = self.project.environment_file(NAME)
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        document["config"]["palisade:fleet"]["traffic"] = {"peak_rps": peak_rps}
        file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def palisade(self, *arguments: str) -> str:
        """What a command of ``palisade`` answers.

        Raises:
            AssertionError: it fails; the message is what it said.
        """
        finished = subprocess.run(
            ["palisade", *arguments],
            cwd=self.project.root,
            env=os.environ | _PASSPHRASE,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        said = finished.stdout + finished.stderr
        assert finished.returncode == 0, f"palisade {' '.join(arguments)}:\n{said[-4000:]}"
        return finished.stdout

    def reason_of(self, control: str) -> str:
        """Why a control fails on the cluster, as ``palisade verify`` judges it; empty if it holds."""
        fleet = fleet_of(self.configuration)
        access = find_cluster(self.project, fleet)
        assert access is not None
        declared = partial(declared_objects, self.project, NAME)
        with (
            pytest.MonkeyPatch.context() as patch,
            Connections(fleet) as connections,
            Cluster(access, declared) as cluster,
        ):
            for name, value in _PASSPHRASE.items():
                patch.setenv(name, value)
            suite = Suite(PROJECT.root, load_controls(PROJECT.root), connections, Waivers(), "abc", cluster=cluster)
            chosen = assignments(suite.registry, fleet, cluster=True, controls=[control], targets=["cluster"])
            (checked,) = suite.run(chosen)
        assert not checked.crashed, checked.result.reason
        return checked.result.reason

    @property
    def requests(self) -> Resources:
        """What a registry pod asks for."""
        cluster = self.configuration.cluster
        assert cluster is not None
        return registry_requests(cluster)

    @property
    def configuration(self) -> FleetConfiguration:
        """What the file of the environment says now."""
        return load_configuration(self.project, NAME)


def make_environment(plane: ControlPlane, directory: Path) -> ProvisionedEnvironment:
    """Make the environment and its empty stack.

    Args:
        plane: Where it is built; Karpenter works there.
        directory: An empty directory for the project and the state of the stack.
    """
    for name in ("Pulumi.yaml", *_LINKED):
        (directory / name).symlink_to(PROJECT.root / name)
    (directory / "state").mkdir()
    document = yaml.safe_load(PROJECT.environment_file("prod").read_text(encoding="utf-8"))
    fleet = document["config"]["palisade:fleet"]
    fleet.pop("edge", None)  # there is no Vault that would sign its certificate
    fleet["cluster"] |= {
        "kubeconfig": str(plane.kubeconfig),
        "context": CONTEXT,
        "zones": list(ZONES),
        "node_class": NODE_CLASS,
        "instance_labels": INSTANCE_LABELS,
        "instance_requirements": INSTANCE_REQUIREMENTS,
    }
    fleet["state"] = {"backend": (directory / "state").as_uri(), "secrets_provider": "passphrase"}
    fleet["images"] = pins(NAME, fleet)
    (directory / f"Pulumi.{NAME}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    made = ProvisionedEnvironment(Project(directory))
    made.palisade("stack", "init", NAME)
    return made
