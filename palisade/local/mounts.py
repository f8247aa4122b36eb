"""Mounts of this machine: which there are, and how they go."""

from __future__ import annotations

import shutil
from pathlib import Path

from palisade.local.processes import run

MOUNTS = Path("/proc/self/mountinfo")
ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}
"""How the kernel writes characters that would break a line into fields (proc_pid_mountinfo(5))."""


def parse_mounts(text: str) -> list[Path]:
    """The mount points in the text of ``mountinfo``, in the order in which they were made."""
    points = []
    for line in text.splitlines():
        point = line.split()[4]
        for escape, character in ESCAPES.items():
            point = point.replace(escape, character)
        points.append(Path(point))
    return points


def mounts_below(directory: Path) -> list[Path]:
    """The mount points at or below a directory, the last made first: the order in which they can go."""
    mounted = parse_mounts(MOUNTS.read_text(encoding="utf-8"))
    return [point for point in reversed(mounted) if point.is_relative_to(directory)]


def is_mounted(point: Path) -> bool:
    """Whether something is mounted at this very place."""
    return point in parse_mounts(MOUNTS.read_text(encoding="utf-8"))


def unmount(point: Path) -> None:
    """Take a mount away.

    Raises:
        PalisadeError: it is in use.
    """
    run(("umount", str(point)), remedy=f"find out who uses it: fuser --verbose --mount {point}")


def remove_tree(directory: Path) -> None:
    """Remove a directory with all that is in it; what is mounted there is unmounted, never emptied.

    Raises:
        PalisadeError: a mount in it is in use.
    """
    for point in mounts_below(directory):
        unmount(point)
    if directory.exists():
        shutil.rmtree(directory)
