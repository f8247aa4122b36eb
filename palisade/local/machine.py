"""What this machine is: a reading, without judgement and without changing anything."""

from __future__ import annotations

import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from palisade.local.network import NameServers, NetworksInUse, name_servers, networks_in_use
from palisade.local.programs import missing_packages

CAPABILITIES: dict[str, int] = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}
"""What starting a host takes, with the numbers of linux/capability.h."""
CAP_SYS_RESOURCE = 24
"""The capability that may raise hard limits."""


@dataclass(frozen=True)
class Machine:
    """A reading of this machine.

    Args:
        root: Whether Palisade runs as root.
        missing_capabilities: Capabilities that starting a host takes and that are not there.
        missing_packages: Debian packages of programs that are not there.
        cgroups: Whether control groups are mounted.
        cgroup_unified: Whether cgroup v2 is the only hierarchy.
        overlay: Whether the kernel has (or may load) the overlay file system.
        systemd: Whether systemd is this machine's first process.
        files_limit: Hard limit of open files per process.
        processes_limit: How many processes per user podman can allow.
        may_raise_limits: Whether hard limits can be raised (CAP_SYS_RESOURCE).
        memory_mib: Memory that programs can still get, in MiB.
        disk_mib: Free space where the hosts' disks will be, in MiB.
        networks: IPv4 networks that this machine uses, each with the name of its interface.
        name_servers: Addresses of this machine at which a program listens at port 53, each with the program.
    """

    root: bool
    missing_capabilities: tuple[str, ...]
    missing_packages: tuple[str, ...]
    cgroups: bool
    cgroup_unified: bool
    overlay: bool
    systemd: bool
    files_limit: int
    processes_limit: int
    may_raise_limits: bool
    memory_mib: int
    disk_mib: int
    networks: NetworksInUse
    name_servers: NameServers


def read_machine(disk: Path) -> Machine:
    """Read this machine; nothing is changed.

    Args:
        disk: Where the hosts' disks will be; it need not exist yet.
    """
    capabilities = _effective_capabilities()
    return Machine(
        root=runs_as_root(),
        missing_capabilities=tuple(name for name, bit in CAPABILITIES.items() if not capabilities >> bit & 1),
        missing_packages=missing_packages(),
        cgroups=any("cgroup" in kind for kind in _mounted_kinds()),
        cgroup_unified=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        overlay=_has_overlay(),
        systemd=Path("/run/systemd/system").is_dir(),
        files_limit=_hard_limit(resource.RLIMIT_NOFILE),
        # Podman lowers its own limit to the kernel's number of process ids before it asks for the hosts' limits.
        processes_limit=min(_hard_limit(resource.RLIMIT_NPROC), int(_read("/proc/sys/kernel/pid_max"))),
        may_raise_limits=bool(capabilities >> CAP_SYS_RESOURCE & 1),
        memory_mib=_available_memory(),
        disk_mib=shutil.disk_usage(_nearest(disk)).free // 2**20,
        networks=networks_in_use(),
        name_servers=name_servers(),
    )


def runs_as_root() -> bool:
    """Whether Palisade runs as root."""
    return os.geteuid() == 0


def boot_identity() -> str:
    """What is different after every start of this machine."""
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _hard_limit(kind: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return 2**63 - 1 if hard == resource.RLIM_INFINITY else hard


def _effective_capabilities() -> int:
    fields = dict(line.split(":", 1) for line in _read("/proc/self/status").splitlines())
    return int(fields["CapEff"], 16)


def _mounted_kinds() -> set[str]:
    return {line.split(" - ", 1)[1].split()[0] for line in _read("/proc/self/mountinfo").splitlines()}


def _has_overlay() -> bool:
    return "overlay" in _read("/proc/filesystems").split() or Path("/lib/modules", os.uname().release).is_dir()


def _available_memory() -> int:
    fields = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines())
    return int(fields["MemAvailable"].split()[0]) // 1024


def _nearest(path: Path) -> Path:
    while not os.access(path, os.F_OK):
        path = path.parent
    return path
