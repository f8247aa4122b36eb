"""Files of the Go modules that the simulated machines are built from: verified by ``go.sum``, no copies to keep."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from palisade.project import Project
from palisade.tools.catalogue import load_catalogue
from palisade.tools.toolchain import check_go, find_go

PROJECT = Project.find(Path(__file__))


def module_directory(program: str) -> Path:
    """Where the sources of a program's module are: fetched if they are not there, and nothing is compiled.

    Raises:
        MachineError: there is no Go toolchain that builds this program.
        CalledProcessError: the module cannot be fetched, or is not what ``go.sum`` says.
    """
    (found,) = load_catalogue(PROJECT).select([program])
    go = check_go(find_go(), found)
    answer = subprocess.run(
        [str(go.executable), "mod", "download", "-json", found.module.module],
        cwd=found.folder,
        env=go.environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Path(json.loads(answer.stdout)["Dir"])


def karpenter_definitions() -> list[Path]:
    """The custom resource definitions of Karpenter and of its simulated machines."""
    module = module_directory("karpenter-kwok")
    return sorted([*module.glob("pkg/apis/crds/*.yaml"), *module.glob("kwok/apis/crds/*.yaml")])


def kubelet_stages() -> list[Path]:
    """What kwok does in place of a kubelet: nodes become ready and stay it, pods run and end at once."""
    module = module_directory("kwok")
    folders = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
    return sorted(
        path
        for folder in folders
        for path in (module / "kustomize/stage" / folder).glob("*.yaml")
        if path.name != "kustomization.yaml"
    )
