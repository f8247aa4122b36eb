from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from local_samples import NETWORK, ORDINARY, machine

from palisade.errors import ExitCode, MachineError
from palisade.local.machine import Machine
from palisade.local.programs import as_root, install_line
from palisade.local.requirements import Needs, require, shortcomings

NEEDS = Needs(
    network=NETWORK, interface="palisade-0123ab", memory_mib=2048, disk_mib=6144, names=True, may_install=True
)
ELSEWHERE = "stop it, or let it listen at its own addresses only, such as 127.0.0.1 (ss -lntup 'sport = :53' shows it)"


def test_an_ordinary_machine_lacks_nothing() -> None:
    assert shortcomings(ORDINARY, NEEDS) == []
    require(ORDINARY, NEEDS)


@pytest.mark.parametrize(
    ("bad", "problem", "remedy"),
    [
        (machine(root=False), "Hosts can only be started by root.", as_root()),
        (
            machine(missing_capabilities=("CAP_SYS_ADMIN",)),
            "Palisade runs as root without the right to start hosts (CAP_SYS_ADMIN).",
            "use a whole machine, or a container with all capabilities (--privileged)",
        ),
        (machine(cgroups=False), "No control groups are mounted.", "mount -t cgroup2 none /sys/fs/cgroup"),
        (
            machine(overlay=False),
            "The kernel has no overlay file system.",
            "use a kernel with CONFIG_OVERLAY_FS",
        ),
        (
            machine(memory_mib=2047),
            "2047 MiB of memory are free; the fleet needs 2048 MiB.",
            "stop other programs, or list fewer hosts and a smaller local.memory_mib in the configuration",
        ),
        (
            machine(disk_mib=6143),
            "6143 MiB of disk are free; the fleet needs 6144 MiB.",
            "free disk space, or let XDG_STATE_HOME and XDG_CACHE_HOME name a larger disk",
        ),
        (
            machine(disk_mib=6200, missing_packages=("podman",)),
            "6200 MiB of disk are free; the fleet needs 6644 MiB.",
            "free disk space, or let XDG_STATE_HOME and XDG_CACHE_HOME name a larger disk",
        ),
        (
            machine(networks=(("tun0", IPv4Network("10.0.0.0/8")),)),
            "The fleet's network 10.79.0.0/24 overlaps 10.0.0.0/8, which this machine uses on tun0.",
            "choose another networks.fleet (and hosts' addresses) in the configuration",
        ),
        (
            machine(networks=(("eth0", IPv4Network("10.79.0.7/32")), ("eth0", IPv4Network("10.79.0.0/25")))),
            "The fleet's network 10.79.0.0/24 overlaps 10.79.0.0/25, which this machine uses on eth0.",
            "choose another networks.fleet (and hosts' addresses) in the configuration",
        ),
        (
            machine(name_servers=(("0.0.0.0", "dnsmasq"), ("127.0.0.1", "other"))),  # noqa: S104 - nothing is bound
            "Port 53 of 10.79.0.1 is taken by dnsmasq; the fleet's name server listens there.",
            ELSEWHERE,
        ),
        (
            machine(name_servers=(("*", ""), ("10.79.0.1", "named"))),
            "Port 53 of 10.79.0.1 is taken by a program, named; the fleet's name server listens there.",
            ELSEWHERE,
        ),
    ],
)
def test_a_machine_that_cannot_run_the_fleet_is_refused(bad: Machine, problem: str, remedy: str) -> None:
    with pytest.raises(MachineError) as refused:
        require(bad, NEEDS)
    assert (refused.value.problem, refused.value.remedy) == (problem, remedy)
    assert refused.value.exit_code is ExitCode.MACHINE


def test_all_shortcomings_are_reported_together_with_a_remedy_each() -> None:
    with pytest.raises(MachineError) as refused:
        require(machine(root=False, memory_mib=10, disk_mib=10, missing_packages=("podman", "runc")), NEEDS)
    message = str(refused.value)
    for number, text in enumerate(("by root", "Not installed: podman, runc.", "10 MiB of memory", "10 MiB of disk"), 1):
        assert f"\n{number}. " in refused.value.problem
        assert text in message
    assert refused.value.remedy is not None
    assert refused.value.remedy.count("\n") == 4
    assert "nothing was started" in message


def test_missing_packages_are_a_shortcoming_only_where_they_may_not_be_installed() -> None:
    lacking = machine(missing_packages=("mmdebstrap", "podman"))
    assert shortcomings(lacking, NEEDS) == []
    (refused,) = shortcomings(lacking, replace(NEEDS, may_install=False))
    assert refused.problem == "Not installed: mmdebstrap, podman."
    assert refused.remedy == "sudo apt-get install --yes --no-install-recommends mmdebstrap podman"
    assert refused.remedy == install_line(("mmdebstrap", "podman"))


def test_the_fleets_own_bridge_and_memory_are_not_in_the_way_of_a_fleet_that_runs() -> None:
    running = machine(networks=(("palisade-0123ab", NETWORK),), memory_mib=100, disk_mib=100)
    assert shortcomings(running, replace(NEEDS, memory_mib=0, disk_mib=0)) == []


def test_the_fleets_own_name_server_is_not_in_the_way() -> None:
    begun = machine(networks=(("palisade-0123ab", NETWORK),), name_servers=(("10.79.0.1", "aardvark-dns"),))
    assert shortcomings(begun, NEEDS) == []
    (refused,) = shortcomings(replace(begun, name_servers=(("*", "dnsmasq"),)), NEEDS)
    assert "taken by dnsmasq" in refused.problem
    assert shortcomings(machine(name_servers=(("*", "dnsmasq"),)), replace(NEEDS, names=False)) == []
