"""A neighbour of the fleet: another machine on the same network, which nobody has let in anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

NAME = "palisade-neighbour"
CABLE = ("palisade-nb0", "palisade-nb1")
"""Both ends; the first is in the fleet's bridge."""
LAST_OCTET = 99
SCAN = Path(__file__).with_name("scan.py")


@dataclass(frozen=True)
class Neighbour:
    """A network namespace with one interface, in the fleet's bridge."""

    address: IPv4Address

    def run(self, *command: str, seconds: float = 60) -> str:
        """The output of a program on the neighbour, which must succeed."""
        return _run("ip", "netns", "exec", NAME, *command, seconds=seconds)

    def tcp(self, address: IPv4Address | str, ports: Iterable[int]) -> dict[int, str]:
        """The ports that answer, and how: ``open`` or ``refused``; silence is left out."""
        return self._scan("tcp", address, ports)

    def udp(self, address: IPv4Address | str, ports: Iterable[int]) -> dict[int, str]:
        """The ports that answer with data (``open``) or with an ICMP error (``refused``); silence is left out."""
        return self._scan("udp", address, ports)

    def _scan(self, protocol: str, address: IPv4Address | str, ports: Iterable[int]) -> dict[int, str]:
        every = [str(port) for port in ports]
        found = json.loads(self.run(sys.executable, str(SCAN), protocol, str(self.address), str(address), *every))
        return {int(port): answer for port, answer in found.items()}

    def route(self, network: IPv4Network | str, through: IPv4Address) -> None:
        """Send everything for a network through a host of the fleet, whether it wants that or not."""
        self.run("ip", "route", "replace", str(network), "via", str(through))


@contextmanager
def neighbour(network: IPv4Network, bridge: str) -> Iterator[Neighbour]:
    """A neighbour for as long as the context lasts.

    Args:
        network: The fleet's network.
        bridge: Its bridge on this machine.
    """
    _remove()
    address = network.network_address + LAST_OCTET
    try:
        _run("ip", "netns", "add", NAME)
        _run("ip", "link", "add", CABLE[0], "master", bridge, "type", "veth", "peer", "name", CABLE[1], "netns", NAME)
        _run("ip", "link", "set", CABLE[0], "up")
        found = Neighbour(address)
        found.run("ip", "address", "add", f"{address}/{network.prefixlen}", "dev", CABLE[1])
        found.run("ip", "link", "set", CABLE[1], "up")
        yield found
    finally:
        _remove()


def _remove() -> None:
    for command in (("ip", "link", "delete", CABLE[0]), ("ip", "netns", "delete", NAME)):
        subprocess.run(command, capture_output=True, check=False)


def _run(*command: str, seconds: float = 60) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert finished.returncode == 0, f"{' '.join(command[:6])}: {finished.stderr}"
    return finished.stdout
