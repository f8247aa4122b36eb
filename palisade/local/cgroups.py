"""The control groups that hosts run in, on a machine without systemd: podman makes them and leaves them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from palisade.errors import PalisadeError

HIERARCHIES = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 10.0
"""How long processes that were killed may take to be gone; usually it takes none."""


def remove(name: str) -> None:
    """Remove a control group with everything below it, in every hierarchy; processes that are left in it are killed.

    Args:
        name: The name of a top-level control group.

    Raises:
        PalisadeError: a process in it does not go.
    """
    deadline = time.monotonic() + REMOVAL_SECONDS
    while groups := [path for path in (HIERARCHIES / name, *HIERARCHIES.glob(f"*/{name}")) if path.is_dir()]:
        for group in groups:
            _kill_and_remove(group)
        if time.monotonic() > deadline:
            raise PalisadeError(
                "Processes of the hosts do not end.", where=str(groups[0]), remedy="reboot this machine"
            )


def _kill_and_remove(group: Path) -> None:
    for directory, _, files in os.walk(group, topdown=False):
        if "cgroup.procs" in files:
            for process in Path(directory, "cgroup.procs").read_text(encoding="ascii").split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
        with suppress(OSError):
            Path(directory).rmdir()
