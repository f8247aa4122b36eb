"""Compares what a rule set admits with what it should admit: every address and every port, not samples.

The decision about a packet can only change at an address or a port that a rule (or the expectation) names. Between two
such borders one packet stands for all, so a few hundred packets answer for the whole space, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, ip_address
from itertools import pairwise
from typing import Any

from palisade.verification.nftables import COMPARISONS, RuleSet, network_of
from palisade.verification.packets import Packet

PORTS = 65_536
_ADDRESSES = 2**32
_Range = tuple[int, int, bool]
"""The first and the last address, and whether they are admitted."""


@dataclass(frozen=True)
class Admission:
    """Traffic that should be let through."""

    protocol: str
    port: int | None
    """The destination port; None for every port."""
    networks: tuple[IPv4Network, ...]
    """The other side: where it comes from, or where it goes to."""

    def covers(self, protocol: str, port: int, address: IPv4Address) -> bool:
        """Whether a packet with this protocol, destination port and other side is meant."""
        return (
            self.protocol == protocol
            and self.port in {None, port}
            and any(address in network for network in self.networks)
        )


def deviations(rules: RuleSet, hook: str, expected: Sequence[Admission], *, own: IPv4Address) -> list[str]:
    """One sentence for each range in which the rules admit too much or too little.

    Only rules count here; what happens when no rule decides is the policy, which is a control of its own.

    Args:
        rules: The rule set.
        hook: ``input`` (the other side is the source) or ``output`` (it is the destination).
        expected: All traffic that should be let through, and none besides.
        own: The address of the host.
    """
    meant = {item.port for item in expected if item.port is not None}
    ports = port_starts(meant, list(rules.every_rule()), rules)
    addresses = address_starts(
        (network for item in expected for network in item.networks), list(rules.every_rule()), rules
    )
    # A sender chooses its own port, so a rule about it admits everybody who picks the right one.
    source_ports = _one_of_each(_source_ports(list(rules.every_rule()), rules), PORTS)
    found: list[tuple[str, int, int, list[_Range]]] = []
    for protocol in ("tcp", "udp"):
        for first_port, after_port in pairwise([*ports, PORTS]):
            wrong: list[_Range] = []
            for first, after in pairwise([*addresses, _ADDRESSES]):
                other = IPv4Address(first)
                packet = Packet(source=other, destination=own, protocol=protocol, port=first_port)
                if hook == "output":
                    packet = replace(packet, source=own, destination=other)
                admitted = any(admits(rules, hook, replace(packet, source_port=port)) for port in source_ports)
                if admitted != any(item.covers(protocol, first_port, other) for item in expected):
                    wrong = _joined(wrong, first, after - 1, admitted=admitted)
            if found and found[-1][0] == protocol and found[-1][3] == wrong:
                found[-1] = (protocol, found[-1][1], after_port - 1, wrong)
            else:
                found.append((protocol, first_port, after_port - 1, wrong))
    direction = "from" if hook == "input" else "to"
    return [
        f"{_ports(protocol, low, high)} {direction} {_addresses(first, last)} is {'' if admitted else 'not '}admitted"
        for protocol, low, high, wrong in found
        for first, last, admitted in wrong
    ]


def admits(rules: RuleSet, hook: str, packet: Packet) -> bool:
    """Whether a rule, and not the policy, accepts the packet."""
    decision = rules.decide(hook, packet)
    return decision.verdict == "accept" and not decision.by_policy


def _source_ports(node: Any, rules: RuleSet) -> set[tuple[int, int]]:
    if isinstance(node, Mapping) and isinstance(node.get("left"), Mapping):
        if node["left"].get("payload", {}).get("field") != "sport":
            return set()
        named = str(node.get("right", "")).removeprefix("@")
        return _ranges([node, rules.sets.get(named)], _port)
    return {ports for child in _children(node) for ports in _source_ports(child, rules)}


def _joined(ranges: list[_Range], first: int, last: int, *, admitted: bool) -> list[_Range]:
    if ranges and ranges[-1][1] == first - 1 and ranges[-1][2] == admitted:
        return [*ranges[:-1], (ranges[-1][0], last, admitted)]
    return [*ranges, (first, last, admitted)]


def _addresses(first: int, last: int) -> str:
    return f"{IPv4Address(first)}" if first == last else f"{IPv4Address(first)}-{IPv4Address(last)}"


def _ports(protocol: str, first: int, last: int) -> str:
    return f"{protocol} {first}" if first == last else f"{protocol} {first}-{last}"


def port_starts(named: Iterable[int], expressions: Any, rules: RuleSet) -> list[int]:
    """Where the decision about a port can change: at those that are named here, in some rules or in a named set."""
    return _starts(_port_ranges(named, expressions, rules), PORTS)


def address_starts(named: Iterable[IPv4Network], expressions: Any, rules: RuleSet) -> list[int]:
    """Where the decision about an address can change, as :func:`port_starts`."""
    return _starts(_address_ranges(named, expressions, rules), _ADDRESSES)


def different_ports(named: Iterable[int], expressions: Any, rules: RuleSet) -> list[int]:
    """One port for all about which the same is said, as :func:`port_starts`: those that no rule names are one."""
    return _one_of_each(_port_ranges(named, expressions, rules), PORTS)


def different_addresses(named: Iterable[IPv4Network], expressions: Any, rules: RuleSet) -> list[int]:
    """One address for all about which the same is said, as :func:`different_ports`."""
    return _one_of_each(_address_ranges(named, expressions, rules), _ADDRESSES)


def _port_ranges(named: Iterable[int], expressions: Any, rules: RuleSet) -> set[tuple[int, int]]:
    return {(port, port) for port in named} | _ranges([expressions, rules.sets], _port)


def _address_ranges(named: Iterable[IPv4Network], expressions: Any, rules: RuleSet) -> set[tuple[int, int]]:
    return {_ends(network) for network in named} | _ranges([expressions, rules.sets], _address)


def _starts(ranges: Iterable[tuple[int, int]], end: int) -> list[int]:
    borders = {0} | {border for first, last in ranges for border in (first, last + 1)}
    return sorted(border for border in borders if 0 <= border < end)


def _one_of_each(ranges: Iterable[tuple[int, int]], end: int) -> list[int]:
    ordered = sorted(ranges)
    by_what_is_said: dict[tuple[bool, ...], int] = {}
    for start in _starts(ordered, end):
        by_what_is_said.setdefault(tuple(first <= start <= last for first, last in ordered), start)
    return list(by_what_is_said.values())


def _ends(network: IPv4Network) -> tuple[int, int]:
    return (int(network.network_address), int(network.broadcast_address))


def _ranges(node: Any, read: Callable[[Any], tuple[int, int] | None]) -> set[tuple[int, int]]:
    """What rules name, as first and last; a comparison names everything up to its border."""
    found = read(node)
    if found is not None:
        return {found}
    if isinstance(node, Mapping) and "range" in node:
        first, last = (read(child) for child in node["range"])
        return {(first[0], last[1])} if first and last else set()
    named = {one for child in _children(node) for one in _ranges(child, read)}
    if isinstance(node, Mapping) and node.get("op") in COMPARISONS:
        named |= {(0, border) for first, last in named for border in (first - 1, last)}
    return named


def _port(node: Any) -> tuple[int, int] | None:
    return (node, node) if isinstance(node, int) and not isinstance(node, bool) else None


def _address(node: Any) -> tuple[int, int] | None:
    if isinstance(node, str):
        try:
            address = ip_address(node)
        except ValueError:
            return None
        return (int(address), int(address)) if isinstance(address, IPv4Address) else None
    if isinstance(node, Mapping) and isinstance(node.get("prefix"), Mapping):
        network = network_of(node)
        return _ends(network) if isinstance(network, IPv4Network) else None
    return None


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, Mapping):
        return node.values()
    return node if isinstance(node, list | tuple) else ()
