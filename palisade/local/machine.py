"""What this machine is, and whether a local fleet can run on it."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from palisade.local.network import networks_in_use

CAP_SYS_RESOURCE = 24
"""Number of the capability that may raise hard limits (capability.h)."""


@dataclass(frozen=True)
class Machine:
    """A reading of this machine.

    Args:
        root: Whether Palisade runs as root.
        cgroup_unified: Whether cgroup v2 is the only hierarchy.
        systemd: Whether systemd is this machine's first process.
        files_limit: Hard limit of open files per process.
        processes_limit: How many processes per user podman can allow.
        may_raise_limits: Whether hard limits can be raised (CAP_SYS_RESOURCE).
        memory_mib: Memory that programs can still get, in MiB.
        disk_mib: Free space where the hosts' disks will be, in MiB.
        programs: The needed programs that are there.
        networks: IPv4 networks that interfaces and routes of this machine use, by the name of the interface.
    """

    root: bool
    cgroup_unified: bool
    systemd: bool
    files_limit: int
    processes_limit: int
    may_raise_limits: bool
    memory_mib: int
    disk_mib: int
    networks: tuple[tuple[str, IPv4Network], ...]


def read_machine(disk: Path) -> Machine:
    """Read this machine; nothing is changed.

    Args:
        disk: Where the hosts' disks will be; it need not exist yet.
    """
    return Machine(
        root=os.geteuid() == 0,
        cgroup_unified=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        systemd=Path("/run/systemd/system").is_dir(),
        files_limit=_hard_limit(resource.RLIMIT_NOFILE),
        # Podman lowers its own limit to the kernel's number of process ids before it asks for the hosts' limits.
        processes_limit=min(_hard_limit(resource.RLIMIT_NPROC), int(Path("/proc/sys/kernel/pid_max").read_text())),
        may_raise_limits=_has_capability(CAP_SYS_RESOURCE),
        memory_mib=_available_memory(),
        disk_mib=shutil.disk_usage(_nearest(disk)).free // 2**20,
        networks=networks_in_use(),
    )


def _hard_limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return 2**63 - 1 if hard == resource.RLIM_INFINITY else hard


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _available_memory() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def _nearest(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
