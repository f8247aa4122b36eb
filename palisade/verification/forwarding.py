"""Compares what a rule set lets pass through the host with what it should: by sender, receiver and port.

As in :mod:`palisade.verification.admission`, one packet stands for all about which the rules and the expectation say
the same. A packet whose destination was translated (a published port of a pod) is tried for every address and port that
its sender may have asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from typing import Any

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
        asked: Of a published port: the addresses that the sender may have asked for it, before the destination was
            translated to a pod.
    """

    protocol: str
    port: int | None
    sources: tuple[IPv4Network, ...]
    destinations: tuple[IPv4Network, ...]
    asked: tuple[IPv4Address, ...] = ()

    def covers(self, packet: Packet) -> bool:
        """Whether the packet, one that passes through the host, is meant."""
        if self.asked:
            right_port = packet.asked in {(address, self.port) for address in self.asked}
        else:
            right_port = self.port in {None, packet.port}
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
        if passes != any(passage.covers(packet) for passage in expected):
            sentences.append(f"{_words(packet)} {'passes' if passes else 'does not pass'}")
    return sentences


def _packets(rules: RuleSet, expected: Sequence[Passage], own: IPv4Address) -> Iterator[Packet]:
    chain = rules.base_chain("forward")
    expressions = rules.rules.get(chain or "", ())
    named = [network for passage in expected for network in (*passage.sources, *passage.destinations)]
    addresses = [IPv4Address(first) for first in different_addresses(named, expressions, rules)]
    ports = different_ports({passage.port for passage in expected if passage.port is not None}, expressions, rules)
    asked = _asked(expected, expressions, rules, own)
    for protocol, source, destination in product(PROTOCOLS, addresses, addresses):
        template = Packet(source=source, destination=destination, protocol=protocol)
        yield from (replace(template, port=port) for port in ports)
        yield from (replace(template, asked=each) for each in product(asked, ports))


def _asked(expected: Sequence[Passage], expressions: Any, rules: RuleSet, own: IPv4Address) -> list[IPv4Address]:
    # Those of this host, those that rules name, and one that is neither, as the one of a service.
    meant = {own, *(address for passage in expected for address in passage.asked)}
    named = [match for match in _matches(expressions) if match["left"].get("ct", {}).get("key") == "ip daddr"]
    return [IPv4Address(first) for first in different_addresses(map(IPv4Network, sorted(meant)), named, rules)]


def _matches(expressions: Iterable[Iterable[Mapping[str, Any]]]) -> Iterator[Mapping[str, Any]]:
    return (each["match"] for rule in expressions for each in rule if "match" in each)


def _words(packet: Packet) -> str:
    asked = "" if packet.asked is None else f", who asked for {packet.asked[0]} port {packet.asked[1]},"
    return f"{packet.protocol} {packet.port} from {packet.source}{asked} to {packet.destination}"
