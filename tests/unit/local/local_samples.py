"""What the tests of the local fleet have in common."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from palisade.fleet import Fleet, FleetHost, FleetNetworks, HostGroup
from palisade.local.machine import Machine
from palisade.local.places import Places

NETWORK = IPv4Network("10.79.0.0/24")

FLEET = Fleet(
    version=3,
    environment="test",
    hosts=(
        FleetHost(name="bastion-1", group=HostGroup.BASTION, address=IPv4Address("10.79.0.10"), ssh_port=2222),
        FleetHost(name="registry-1", group=HostGroup.REGISTRY, address=IPv4Address("10.79.0.21")),
        FleetHost(name="db-1", group=HostGroup.DATABASE, address=IPv4Address("10.79.0.31"), ssh_user="operator"),
    ),
    networks=FleetNetworks(fleet=NETWORK, operators=(IPv4Network("10.79.0.1/32"),), clients=(NETWORK,)),
)

CLUSTER_FLEET = FLEET.model_copy(
    update={
        "hosts": (
            *FLEET.hosts,
            FleetHost(name="control-1", group=HostGroup.CONTROL, address=IPv4Address("10.79.0.11")),
        ),
        "networks": FLEET.networks.model_copy(
            update={"pods": IPv4Network("10.244.0.0/16"), "services": IPv4Network("10.96.0.0/16")}
        ),
    }
)
"""The same with a cluster of its own."""


def with_vault(fleet: Fleet) -> Fleet:
    """The same with a Vault."""
    host = FleetHost(name="vault-1", group=HostGroup.VAULT, address=IPv4Address("10.79.0.41"))
    return fleet.model_copy(update={"hosts": (*fleet.hosts, host)})


ORDINARY = Machine(
    root=True,
    missing_capabilities=(),
    missing_packages=(),
    cgroups=True,
    cgroup_unified=True,
    overlay=True,
    systemd=True,
    files_limit=524_288,
    processes_limit=63_432,
    may_raise_limits=True,
    memory_mib=8_000,
    disk_mib=100_000,
    networks=(("eth0", IPv4Network("192.0.2.0/24")),),
    name_servers=(("10.88.0.1", "aardvark-dns"), ("127.0.0.53", "systemd-resolve"), ("[::]", "unbound")),
)


def machine(**readings: Any) -> Machine:
    """An ordinary machine, but for some readings."""
    return replace(ORDINARY, **readings)


def places(directory: Path) -> Places:
    """The places of a fleet below a directory of the test."""
    state = directory / "state of test"
    state.mkdir(parents=True, exist_ok=True)
    return Places(environment="test", state=state, runtime=directory / "run/test-0123abcd", images=directory / "images")
