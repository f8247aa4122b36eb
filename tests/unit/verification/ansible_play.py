"""Runs a play on this machine, for what only Ansible can say: what a role's template or expression makes of facts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]


def role_variables(role: str) -> list[str]:
    """The files with a role's defaults and variables, as ``vars_files`` takes them."""
    return [str(ROOT / f"roles/{role}/{kind}/main.yml") for kind in ("defaults", "vars")]


def play(directory: Path, document: Mapping[str, Any], *options: str, inventory: str = "localhost,") -> None:
    """Run one play on this machine, without facts; it must succeed.

    Args:
        directory: For the file of the play.
        document: The play.
        options: Further ones of ``ansible-playbook``.
        inventory: What ``--inventory`` takes.

    Raises:
        AssertionError: it fails.
    """
    done = played(directory, document, "--connection", "local", *options, inventory=inventory)
    assert done.returncode == 0, done.stdout + done.stderr


def played(
    directory: Path, document: Mapping[str, Any], *options: str, inventory: str
) -> subprocess.CompletedProcess[str]:
    """Run one play, without facts, to whatever end; the arguments are those of :func:`play`."""
    file = directory / "play.yml"
    file.write_text(yaml.safe_dump([{"gather_facts": False, **document}]), encoding="utf-8")
    command = ["ansible-playbook", "--inventory", inventory, *options, str(file)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
