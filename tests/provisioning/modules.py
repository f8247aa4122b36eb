"""Files of the Go modules that the simulated machines are built from: verified by ``go.sum``, no copies to keep."""

from __future__ import annotations

from pathlib import Path

from palisade.project import Project
from palisade.tools.catalogue import load_catalogue
from palisade.tools.toolchain import module_directory

PROJECT = Project.find(Path(__file__))


def _directory(name: str) -> Path:
    (program,) = load_catalogue(PROJECT).select([name])
    return module_directory(program)


def karpenter_definitions() -> list[Path]:
    """The custom resource definitions of Karpenter and of its simulated machines."""
    module = _directory("karpenter-kwok")
    return sorted([*module.glob("pkg/apis/crds/*.yaml"), *module.glob("kwok/apis/crds/*.yaml")])


def kubelet_stages() -> list[Path]:
    """What kwok does in place of a kubelet: nodes become ready and stay it, pods run and end at once."""
    module = _directory("kwok")
    folders = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
    return sorted(
        path
        for folder in folders
        for path in (module / "kustomize/stage" / folder).glob("*.yaml")
        if path.name != "kustomization.yaml"
    )
