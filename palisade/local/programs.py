"""The programs that a local fleet needs, the Debian packages that bring them, and how missing ones are installed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from palisade.errors import MachineError
from palisade.local.processes import run

PACKAGES: Mapping[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "netavark": "netavark",
    "aardvark-dns": "aardvark-dns",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "mvn": "maven",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""The Debian package of each program."""

ROOTS_DIRECTORIES = ("/usr/sbin", "/sbin")
"""Where Debian has the programs that are root's."""

HELPER_DIRECTORIES = ("/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman")
"""Where podman itself looks for netavark and aardvark-dns (containers.conf(5), helper_binaries_dir)."""


def as_root() -> str:
    """The command that is running now, as a line that runs it as root: sudo by itself forgets PATH."""
    return f'sudo env "PATH=$PATH" {shlex.join((Path(sys.argv[0]).name, *sys.argv[1:]))}'


def search_roots_programs() -> None:
    """Let this process, and what it starts, find the programs of root too: after ``su`` PATH is without them."""
    path = os.get_exec_path()
    os.environ["PATH"] = os.pathsep.join([*path, *(folder for folder in ROOTS_DIRECTORIES if folder not in path)])


def find_program(program: str) -> str | None:
    """Where a program is: on PATH, where root's programs are, or where podman looks for its own; None if nowhere."""
    directories = (*os.get_exec_path(), *ROOTS_DIRECTORIES, *HELPER_DIRECTORIES)
    return shutil.which(program, path=os.pathsep.join(directories))


def missing_packages() -> tuple[str, ...]:
    """The Debian packages of the programs that are not there, sorted, each once."""
    missing = (package for program, package in PACKAGES.items() if find_program(program) is None)
    return tuple(sorted(set(missing)))


def install_command(packages: Iterable[str]) -> tuple[str, ...]:
    """The command that installs Debian packages."""
    return ("apt-get", "install", "--yes", "--no-install-recommends", *packages)


def install_line(packages: Iterable[str]) -> str:
    """The same, as a line to copy into a shell."""
    return "sudo " + shlex.join(install_command(packages))


def install(packages: tuple[str, ...]) -> None:
    """Install Debian packages.

    Raises:
        MachineError: apt-get failed, or there is no apt-get.
    """
    if shutil.which("apt-get") is None:
        raise MachineError(
            f"Not installed: {', '.join(packages)}.",
            allowed="Debian 12 or later (there is no apt-get here)",
            remedy="install these programs the way this system does, then run the same command again",
        )
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(("apt-get", "--quiet", "update"), environment=quiet, remedy="apt-get update")
    run(install_command(packages), environment=quiet, remedy=install_line(packages))
