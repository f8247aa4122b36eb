"""Runs a command with kubectl on this machine, as administrator of a cluster: how a proof changes its objects."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from palisade.verification.cluster_access import ClusterAccess

COMMAND_SECONDS = 60
"""How long a change may take; those in the control registry take less than two seconds."""


@dataclass
class Finished:
    """What a command answered."""

    rc: int
    stdout: str
    stderr: str


def run_with_kubectl(access: ClusterAccess, command: str) -> Finished:
    """Run a shell command in which ``kubectl`` talks to the cluster.

    Args:
        access: How the cluster is reached; its context must be the current one of the kubeconfig.
        command: The command, for a POSIX shell.
    """
    variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if access.kubeconfig is not None:
        variables["KUBECONFIG"] = str(access.kubeconfig)
    try:
        finished = subprocess.run(
            ["/bin/sh", "-ec", command],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finished(124, "", f"no end within {COMMAND_SECONDS} s")
    return Finished(finished.returncode, finished.stdout, finished.stderr)
