"""Whether a local fleet can run on this machine: every problem at once, before anything is started."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from palisade.errors import MachineError
from palisade.local.machine import Machine
from palisade.local.network import gateway
from palisade.local.programs import as_root, install_line

EVERY_ADDRESS = frozenset({"*", "0.0.0.0"})  # noqa: S104 - how ss names them; nothing is bound
"""Listening there keeps everybody else from the same port of any IPv4 address; ``[::]`` is every IPv6 address only."""
PACKAGES_MIB = 500
"""Disk that the missing Debian packages take at most; podman and mmdebstrap with all they need are 300 MiB."""


@dataclass(frozen=True)
class Needs:
    """What a fleet needs of the machine.

    Args:
        network: The fleet's network.
        interface: The fleet's own bridge, which may be there already.
        memory_mib: Memory that must be free, in MiB; 0 for a fleet that runs already.
        disk_mib: Disk space that must be free, in MiB; 0 for a fleet that runs already.
        names: Whether the fleet's name server is still to start, at port 53 of the bridge's address.
        may_install: Whether missing Debian packages may be installed.
    """

    network: IPv4Network
    interface: str
    memory_mib: int
    disk_mib: int
    names: bool
    may_install: bool


@dataclass(frozen=True)
class Shortcoming:
    """One thing that this machine lacks, and what to do about it."""

    problem: str
    remedy: str


def shortcomings(machine: Machine, needs: Needs) -> list[Shortcoming]:
    """Everything that keeps the fleet from running on this machine; empty if it can."""
    found = [*_rights(machine), *_kernel(machine), *_programs(machine, needs), *_room(machine, needs)]
    found += _names(machine, needs)
    # An interface's own address and its network overlap with the fleet's alike: one of them says it.
    overlapping = {
        interface: network
        for interface, network in sorted(machine.networks, key=lambda used: used[1].prefixlen, reverse=True)
        if interface != needs.interface and network.overlaps(needs.network)
    }
    found.extend(
        Shortcoming(
            f"The fleet's network {needs.network} overlaps {network}, which this machine uses on {interface}.",
            "choose another networks.fleet (and hosts' addresses) in the configuration",
        )
        for interface, network in overlapping.items()
    )
    return found


def require(machine: Machine, needs: Needs) -> None:
    """Refuse a machine on which the fleet cannot run.

    Raises:
        MachineError: with every shortcoming.
    """
    found = shortcomings(machine, needs)
    if not found:
        return
    if len(found) == 1:
        raise MachineError(found[0].problem, remedy=found[0].remedy)
    raise MachineError(
        "This machine cannot run the local fleet yet; nothing was started.\n"
        + "\n".join(f"{number}. {one.problem}" for number, one in enumerate(found, 1)),
        remedy="\n" + "\n".join(f"{number}. {one.remedy}" for number, one in enumerate(found, 1)),
    )


def _rights(machine: Machine) -> list[Shortcoming]:
    if not machine.root:
        return [Shortcoming("Hosts can only be started by root.", as_root())]
    if machine.missing_capabilities:
        missing = ", ".join(machine.missing_capabilities)
        return [
            Shortcoming(
                f"Palisade runs as root without the right to start hosts ({missing}).",
                "use a whole machine, or a container with all capabilities (--privileged)",
            )
        ]
    return []


def _kernel(machine: Machine) -> list[Shortcoming]:
    found = []
    if not machine.cgroups:
        found.append(Shortcoming("No control groups are mounted.", "mount -t cgroup2 none /sys/fs/cgroup"))
    if not machine.overlay:
        found.append(Shortcoming("The kernel has no overlay file system.", "use a kernel with CONFIG_OVERLAY_FS"))
    return found


def _programs(machine: Machine, needs: Needs) -> list[Shortcoming]:
    if not machine.missing_packages or (needs.may_install and machine.root):
        return []
    return [
        Shortcoming(f"Not installed: {', '.join(machine.missing_packages)}.", install_line(machine.missing_packages))
    ]


def _names(machine: Machine, needs: Needs) -> list[Shortcoming]:
    if not needs.names:
        return []
    own = str(gateway(needs.network))
    # Where the bridge is there already, it is the fleet's own name server that listens at its address.
    bridge = any(interface == needs.interface for interface, _ in machine.networks)
    in_the_way = EVERY_ADDRESS if bridge else EVERY_ADDRESS | {own}
    programs = sorted({program or "a program" for address, program in machine.name_servers if address in in_the_way})
    if not programs:
        return []
    return [
        Shortcoming(
            f"Port 53 of {own} is taken by {', '.join(programs)}; the fleet's name server listens there.",
            "stop it, or let it listen at its own addresses only, such as 127.0.0.1 (ss -lntup 'sport = :53' shows it)",
        )
    ]


def _room(machine: Machine, needs: Needs) -> list[Shortcoming]:
    found = []
    if machine.memory_mib < needs.memory_mib:
        found.append(
            Shortcoming(
                f"{machine.memory_mib} MiB of memory are free; the fleet needs {needs.memory_mib} MiB.",
                "stop other programs, or list fewer hosts and a smaller local.memory_mib in the configuration",
            )
        )
    disk_mib = needs.disk_mib + (PACKAGES_MIB if machine.missing_packages and needs.disk_mib else 0)
    if machine.disk_mib < disk_mib:
        found.append(
            Shortcoming(
                f"{machine.disk_mib} MiB of disk are free; the fleet needs {disk_mib} MiB.",
                "free disk space, or let XDG_STATE_HOME and XDG_CACHE_HOME name a larger disk",
            )
        )
    return found
