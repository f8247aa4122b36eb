"""What the programs of a host were started with, and where they listen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any

from palisade.verification.readings import Readings

_USER = re.compile(r'users:\(\("(?P<program>[^"]+)"')


def flags(arguments: Iterable[str]) -> dict[str, str]:
    """Command line flags by name, as Go programs take them; of a flag that stands twice the last one counts.

    Args:
        arguments: ``--name=value``, or a bare ``--name`` (which means ``true``).
    """
    found = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.startswith("-"):
            found[name.lstrip("-")] = value if "=" in argument else "true"
    return found


def running_flags(readings: Readings, unit: str) -> Mapping[str, str]:
    """The flags of the process that runs for a unit, as the kernel knows them.

    Raises:
        ReadingFailedError: the unit does not run.
    """
    text = readings.output(f"tr '\\0' '\\n' < /proc/$(systemctl show --property=MainPID --value {unit})/cmdline")
    return flags(text.splitlines()[1:])


def unit_flags(readings: Readings, unit: str) -> Mapping[str, str]:
    """The flags in the unit's file, with which its program will be started the next time."""
    text = readings.output(f"systemctl cat --no-pager {shlex.quote(unit)}").replace("\\\n", " ")
    commands = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart=")]
    return flags(shlex.split(commands[-1])[1:] if commands else [])


def listening(readings: Readings, *, prefix: str = "") -> Mapping[str, list[str]]:
    """Where each program listens for TCP connections: ``address:port``, sorted.

    Args:
        readings: The host.
        prefix: Enters another network of the host, such as ``ip netns exec NAME`` and a blank.
    """
    found: dict[str, set[str]] = {}
    for line in readings.output(f"{prefix}ss --no-header --listening --tcp --numeric --processes").splitlines():
        user = _USER.search(line)
        found.setdefault(user["program"] if user else "", set()).add(line.split()[3])
    return {program: sorted(places) for program, places in found.items()}


def expected_places(listens: Mapping[str, Iterable[str]], address: IPv4Address) -> dict[str, list[str]]:
    """Where each program is to listen, sorted.

    Args:
        listens: ``address:port`` by program; ``{address}`` stands for the address of the host.
        address: The address of the host.
    """
    return {name: sorted(place.format(address=address) for place in places) for name, places in listens.items()}


def health_checks(services: Iterable[Mapping[str, Any]], address: IPv4Address) -> set[str]:
    """Where load balancers ask a node whether it has pods of a Service (``address:port``).

    The API server gives such a port to each Service of the type LoadBalancer that keeps the address of its clients.

    Args:
        services: The Services of the cluster.
        address: The address of the node.
    """
    ports = (service["spec"].get("healthCheckNodePort") for service in services)
    return {f"{address}:{port}" for port in ports if port}
