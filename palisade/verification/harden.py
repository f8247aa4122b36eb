"""Hardens the hosts again after a proof, with the same playbooks and inventory that people use."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from palisade.errors import PalisadeError
from palisade.project import Project

CLUSTER_PLAYBOOK = "playbooks/local_cluster.yml"
_SHOWN_LINES = 30


def harden(root: Path, project: Project, environment: str, *, cluster: bool) -> None:
    """Run ``harden.yml`` on every host of an environment, and what makes the cluster on those that carry one.

    Args:
        root: The checkout with ``harden.yml`` and ``ansible.cfg``.
        project: Whose inventory is used.
        environment: The name of the environment.
        cluster: Whether a cluster runs on hosts of the fleet.

    Raises:
        PalisadeError: the playbook failed on a host.
    """
    inventory = project.root / "inventories" / environment
    # The one that was installed with this interpreter; another one on PATH may be of any version.
    program = Path(sys.executable).parent / "ansible-playbook"
    # Ansible names its shared connections by host name only, and fleets of one machine have the same host names: with
    # the connections of another fleet around, that one would be hardened instead.
    with tempfile.TemporaryDirectory(prefix="palisade-") as connections:
        finished = subprocess.run(
            [str(program), "-i", str(inventory), "harden.yml", *([CLUSTER_PLAYBOOK] if cluster else [])],
            cwd=root,
            env={**os.environ, "ANSIBLE_SSH_CONTROL_PATH_DIR": connections},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    if finished.returncode != 0:
        said = _failures(finished.stdout + finished.stderr)
        raise PalisadeError(
            f"The hosts could not be hardened again, so they are still broken.\n{said}",
            where=str(inventory),
            remedy=f"ansible-playbook -i {inventory} harden.yml; or make the fleet anew: palisade local down, then up",
        )


def _failures(output: str) -> str:
    """What failed on which host; the end of the output if no task did."""
    blocks = [block for block in output.split("\n\n") if "fatal: [" in block]
    lines = (blocks[0] if blocks else output).strip().splitlines()
    return "\n".join(lines[:_SHOWN_LINES] if blocks else lines[-_SHOWN_LINES:])
