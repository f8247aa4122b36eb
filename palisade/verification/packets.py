"""One packet, and what the matches of an nftables rule read in it (nft(8), libnftables-json(5))."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

Address = IPv4Address | IPv6Address
_PORT_PROTOCOLS = {"tcp", "udp", "udplite", "sctp", "dccp"}
NO_VALUE = object()
"""What a match reads in a packet that does not have it."""


class NotUnderstoodError(Exception):
    """The rule set has an expression that this module cannot decide."""


@dataclass(frozen=True)
class Packet:
    """One packet of a connection, as the rules see it."""

    source: Address
    destination: Address
    protocol: str
    """``tcp``, ``udp``, ``icmp``, ``ipv6-icmp`` or another name from ``/etc/protocols``."""
    port: int = 0
    """The destination port."""
    source_port: int = 40000
    flags: frozenset[str] = frozenset({"syn"})
    """The TCP flags; those of a new connection unless told."""
    icmp_type: str = ""
    arrives_on: str = "eth0"
    leaves_on: str = "eth0"
    state: str = "new"
    """The connection tracking state."""
    asked: tuple[Address, int] | None = None
    """The address and port that the sender asked for, where they have been translated since (DNAT)."""
    over_limit: bool = False
    """Whether the sender has used up every rate limit."""


def flags_of(node: Any) -> frozenset[str]:
    """TCP flags: one name, or several that are joined by ``|``."""
    names = node["|"] if isinstance(node, Mapping) and "|" in node else [node]
    if not all(isinstance(name, str) for name in names):
        raise NotUnderstoodError(f"the flags {node!r} are not understood")
    return frozenset(names)


def meta_value(key: str, packet: Packet) -> Any:
    """What ``meta`` says of a packet."""
    version = packet.source.version
    values = {
        "iif": packet.arrives_on,
        "iifname": packet.arrives_on,
        "oif": packet.leaves_on,
        "oifname": packet.leaves_on,
        "l4proto": packet.protocol,
        "nfproto": f"ipv{version}",
        "protocol": "ip" if version == 4 else "ip6",  # noqa: PLR2004 - the version of IP
    }
    if key not in values:
        raise NotUnderstoodError(f"the packet property {key!r} is not understood")
    return values[key]


def header_value(protocol: str, name: str, packet: Packet) -> Any:
    """A field of a header; :data:`NO_VALUE` in a packet without that header."""
    family = "ip" if packet.source.version == 4 else "ip6"  # noqa: PLR2004 - the version of IP
    if protocol in {"ip", "ip6"}:
        values = {"saddr": packet.source, "daddr": packet.destination, "protocol": packet.protocol}
        values["nexthdr"] = packet.protocol
        if name not in values:
            raise NotUnderstoodError(f"the header field {protocol} {name} is not understood")
        return values[name] if family == protocol else NO_VALUE
    if protocol in {"icmp", "icmpv6"} and name == "type":
        carrier = "icmp" if protocol == "icmp" else "ipv6-icmp"
        return packet.icmp_type if packet.protocol == carrier else NO_VALUE
    if protocol in _PORT_PROTOCOLS | {"th"}:
        carried: dict[str, Any] = {"dport": packet.port, "sport": packet.source_port, "flags": packet.flags}
        if name not in carried:
            raise NotUnderstoodError(f"the header field {protocol} {name} is not understood")
        is_carried = packet.protocol in _PORT_PROTOCOLS and protocol in {packet.protocol, "th"}
        return carried[name] if is_carried else NO_VALUE
    raise NotUnderstoodError(f"the header field {protocol} {name} is not understood")


def connection_value(reading: Mapping[str, str], packet: Packet) -> Any:
    """What connection tracking (``ct``) says of a packet, whose connection is the only one."""
    address, port = packet.asked or (packet.destination, packet.port)
    values = {
        ("state", None): packet.state,
        ("status", None): "dnat" if packet.asked else "",
        ("ip daddr", "original"): address,
        ("proto-dst", "original"): port,
    }
    key = (reading["key"], reading.get("dir"))
    if key not in values:
        raise NotUnderstoodError(f"the connection property {dict(reading)!r} is not understood")
    return values[key]
