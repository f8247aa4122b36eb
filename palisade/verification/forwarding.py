"""Compares what a rule set lets pass through the host with what it should: by sender, receiver and port.

As in :mod:`palisade.verification.admission`, one packet stands for all about which the rules and the expectation say
the same. A packet whose destination was translated (a published port of a pod) is tried for every address and port that
its sender may have asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import product

from palisade.verification.admission import admits, different_addresses, different_ports
from palisade.verification.nftables import RuleSet
from palisade.verification.packets import Packet

PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True)
class Passage:
    """Traffic that should pass.

    Args:
        protocol: ``tcp`` or ``udp``.
        port: The destination port; None for every port. Of a published one: the port of the host that was asked for.
        sources: Where it comes from.
        destinations: Where it goes to.
        published: Whether the sender asked the host for the port, and the destination was translated to a pod.
    """

    protocol: str
    port: int | None
    sources: tuple[IPv4Network, ...]
    destinations: tuple[IPv4Network, ...]
    published: bool = False

    def covers(self, packet: Packet, own: IPv4Address) -> bool:
        """Whether the packet is meant.

        Args:
            packet: One that passes through the host.
            own: The address of the host.
        """
        right_port = packet.asked == (own, self.port) if self.published else self.port in {None, packet.port}
        return (
            right_port
            and packet.protocol == self.protocol
            and any(packet.source in network for network in self.sources)
            and any(packet.destination in network for network in self.destinations)
        )


def forwarding_deviations(rules: RuleSet, expected: Sequence[Passage], *, own: IPv4Address) -> list[str]:
    """One sentence for each pair of networks and each port about which the rules decide otherwise.

    Args:
        rules: The rule set; only its rules count, the policy is a control of its own.
        expected: All traffic that should pass, and none besides.
        own: The address of the host.
    """
    sentences = []
    for packet in _packets(rules, expected, own):
        passes = admits(rules, "forward", packet)
        if passes != any(passage.covers(packet, own) for passage in expected):
            sentences.append(f"{_words(packet)} {'passes' if passes else 'does not pass'}")
    return sentences


def _packets(rules: RuleSet, expected: Sequence[Passage], own: IPv4Address) -> Iterator[Packet]:
    chain = rules.base_chain("forward")
    expressions = rules.rules.get(chain or "", ())
    named = [network for passage in expected for network in (*passage.sources, *passage.destinations)]
    addresses = [IPv4Address(first) for first in different_addresses(named, expressions, rules)]
    ports = different_ports({passage.port for passage in expected if passage.port is not None}, expressions, rules)
    for protocol, source, destination in product(PROTOCOLS, addresses, addresses):
        template = Packet(source=source, destination=destination, protocol=protocol)
        yield from (replace(template, port=port) for port in ports)
        yield from (replace(template, asked=asked) for asked in _asked(own, ports))


def _asked(own: IPv4Address, ports: Iterable[int]) -> Iterator[tuple[IPv4Address, int]]:
    # Of this host, and of an address that is not this host's, as the one of a service.
    return product((own, IPv4Address("192.0.2.1")), ports)


def _words(packet: Packet) -> str:
    asked = "" if packet.asked is None else f", who asked for {packet.asked[0]} port {packet.asked[1]},"
    return f"{packet.protocol} {packet.port} from {packet.source}{asked} to {packet.destination}"
