"""A neighbour of the fleet: another machine on the same network, which nobody has let in anywhere."""

from __future__ import annotations

import json
import socket
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
ANSWER_SECONDS = 1.0
PORTS_AT_ONCE = 8_000
"""As many sockets as every limit on open files allows."""
CONNECT = Path(__file__).resolve().parents[2] / "palisade/verification/probes/connect.py"


@dataclass(frozen=True)
class Neighbour:
    """A network namespace with one interface, in the fleet's bridge."""

    address: IPv4Address

    def run(self, *command: str, seconds: float = 60) -> str:
        """The output of a program on the neighbour, which must succeed."""
        return _run("ip", "netns", "exec", NAME, *command, seconds=seconds)

    def tcp(self, address: IPv4Address | str, ports: Iterable[int]) -> dict[int, str]:
        """The ports that answer, and how: ``open`` or ``refused``; silence is left out."""
        every = [str(port) for port in ports]
        found: dict[int, str] = {}
        for first in range(0, len(every), PORTS_AT_ONCE):
            some = every[first : first + PORTS_AT_ONCE]
            said = json.loads(self.run(sys.executable, str(CONNECT), str(address), str(ANSWER_SECONDS), *some))
            found |= {int(port): answer for port, answer in said.items() if answer != "silence"}
        return found

    def udp(self, address: IPv4Address | str, ports: Iterable[int]) -> dict[int, str]:
        """The ports that answer with data (``open``) or with an ICMP error (``refused``); silence is left out."""
        every = [str(port) for port in ports]
        found = json.loads(self.run(sys.executable, __file__, str(address), str(ANSWER_SECONDS), *every))
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


def _ask_over_udp(address: str, seconds: float, ports: Iterable[int]) -> dict[int, str]:
    asked = {}
    for port in ports:
        asked[port] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        asked[port].connect((address, port))
        asked[port].send(b"?")
    found = {}
    for port, connection in asked.items():
        connection.settimeout(seconds / len(asked))
        try:
            connection.recv(1)
            found[port] = "open"
        except ConnectionRefusedError:
            found[port] = "refused"
        except TimeoutError:
            pass  # silence
        connection.close()
    return found


if __name__ == "__main__":
    address_given, seconds_given, *ports_given = sys.argv[1:]
    print(json.dumps(_ask_over_udp(address_given, float(seconds_given), [int(port) for port in ports_given])))  # noqa: T201
