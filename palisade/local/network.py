"""The networks and the name servers that this machine already has, and the fleet's own network."""

from __future__ import annotations

import hashlib
import json
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from palisade.local.processes import attempt
from palisade.local.programs import find_program

NetworksInUse = tuple[tuple[str, IPv4Network], ...]
"""Interface name and network; the default route is not one of them."""
NameServers = tuple[tuple[str, str], ...]
"""An address as ``ss`` shows it, and the program that listens there at port 53; ``*`` is every address."""
_PROGRAM = re.compile(r'users:\(\("([^"]+)"')


def networks_in_use() -> NetworksInUse:
    """The networks that routes of this machine lead to; none where ``ip`` is missing (it is installed then)."""
    program = find_program("ip")
    if program is None:
        return ()
    found = attempt((program, "-json", "-4", "route", "show", "table", "all"))
    return parse_routes(found.output) if found.succeeded else ()


def parse_routes(document: str) -> NetworksInUse:
    """Networks in the output of ``ip -json -4 route``: own addresses, attached networks and those behind a gateway."""
    networks = []
    for route in json.loads(document or "[]"):
        destination = route.get("dst", "default")
        if destination == "default" or route.get("type") in {"broadcast", "multicast"}:
            continue
        networks.append((route.get("dev", "a route"), IPv4Network(destination)))
    return tuple(networks)


def name_servers() -> NameServers:
    """What listens at port 53 of this machine, over UDP or TCP; none where ``ss`` is missing (it comes with ``ip``)."""
    program = find_program("ss")
    if program is None:
        return ()
    question = ("--no-header", "--numeric", "--listening", "--udp", "--tcp", "--processes", "sport = :53")
    found = attempt((program, *question))
    return parse_sockets(found.output) if found.succeeded else ()


def parse_sockets(table: str) -> NameServers:
    """Addresses and programs in the output of ``ss``, sorted; the program is empty where ``ss`` may not see it."""
    sockets = set()
    for line in table.splitlines():
        address = line.split()[4].rpartition(":")[0].partition("%")[0]
        user = _PROGRAM.search(line)
        sockets.add((address, user[1] if user else ""))
    return tuple(sorted(sockets))


def gateway(network: IPv4Network) -> IPv4Address:
    """The address of this machine in the fleet's network: the first one."""
    return network.network_address + 1


def definition(network: IPv4Network, *, name: str) -> dict[str, Any]:
    """The fleet's network as the engine's configuration describes it (podman 4, ``<network>.json``).

    It is written instead of asking ``podman network create``, which names the bridge after what is free at that
    moment and lets another engine on the machine take the same name later.

    Args:
        network: The fleet's network.
        name: The name of the network and of its bridge. Nothing else on this machine may have it: netavark keeps the
            addresses in use of all engines of root in one place, by the name of the network.
    """
    return {
        "name": name,
        "id": hashlib.sha256(name.encode()).hexdigest(),
        "driver": "bridge",
        "network_interface": name,
        "created": "2026-01-01T00:00:00Z",
        "subnets": [{"subnet": str(network), "gateway": str(gateway(network))}],
        "ipv6_enabled": False,
        "internal": False,
        "dns_enabled": True,
        "ipam_options": {"driver": "host-local"},
    }
