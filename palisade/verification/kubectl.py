"""Runs a command with kubectl on this machine, as administrator of a cluster: how a proof changes its objects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
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


def run_with_kubectl(access: ClusterAccess, command: str, *, variables: Mapping[str, str] | None = None) -> Finished:
    """Run a shell command in which ``kubectl`` talks to the cluster.

    Args:
        access: How the cluster is reached; its context must be the current one of the kubeconfig.
        command: The command, for a POSIX shell.
        variables: Further variables of its environment.
    """
    inherited = {**os.environ, **(variables or {})}
    environment = {**inherited, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    if access.kubeconfig is not None:
        environment["KUBECONFIG"] = str(access.kubeconfig)
    try:
        finished = subprocess.run(
            ["/bin/sh", "-ec", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finished(124, "", f"no end within {COMMAND_SECONDS} s")
    return Finished(finished.returncode, finished.stdout, finished.stderr)
