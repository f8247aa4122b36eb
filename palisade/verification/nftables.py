"""Decides what an nftables rule set does with a packet, from the JSON that ``nft -j`` prints.

How the rules are written does not matter (sets, maps, jumps, the order of matches): a packet is walked through them as
the kernel does (nft(8), libnftables-json(5)). Whatever is not understood is an error and never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from operator import ge, gt, le, lt
from typing import Any

from palisade.verification.packets import (
    NO_VALUE,
    Address,
    NotUnderstoodError,
    Packet,
    connection_value,
    flags_of,
    header_value,
    meta_value,
)

_IGNORED = {"counter", "log", "comment", "mangle", "ct count"}
_VERDICTS = {"accept", "drop", "reject", "queue"}
COMPARISONS = {"<": lt, ">": gt, "<=": le, ">=": ge}


@dataclass(frozen=True)
class Decision:
    """What happens to a packet."""

    verdict: str
    """``accept``, ``drop``, ``reject`` or ``queue``."""
    by_policy: bool
    """No rule decided; the policy of the chain did."""


@dataclass(frozen=True)
class RuleSet:
    """One table: its chains, rules and named sets."""

    chains: Mapping[str, Mapping[str, Any]]
    rules: Mapping[str, tuple[tuple[Any, ...], ...]]
    """Per chain the expressions of its rules."""
    sets: Mapping[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, Any], *, family: str, table: str) -> RuleSet:
        """The table in the answer of ``nft -j list``; without a chain if it is not there.

        Args:
            document: The parsed JSON.
            family: The family of the table, such as ``inet``.
            table: Its name.
        """
        chains: dict[str, Mapping[str, Any]] = {}
        rules: dict[str, list[tuple[Any, ...]]] = {}
        sets: dict[str, list[Any]] = {}
        for entry in document.get("nftables", []):
            kind, body = _only(entry)
            if kind not in {"chain", "rule", "set", "map"} or (body["family"], body["table"]) != (family, table):
                continue
            if kind == "chain":
                chains[body["name"]] = body
            elif kind == "rule":
                rules.setdefault(body["chain"], []).append(tuple(body["expr"]))
            else:
                sets[body["name"]] = body.get("elem", [])
        return cls(chains=chains, rules={name: tuple(entries) for name, entries in rules.items()}, sets=sets)

    def every_rule(self) -> Iterable[tuple[Any, ...]]:
        """The expressions of each rule of every chain."""
        return (expressions for rules in self.rules.values() for expressions in rules)

    def base_chain(self, hook: str) -> str | None:
        """The name of the filter chain at this hook; None if there is none."""
        for name, chain in self.chains.items():
            if chain.get("hook") == hook and chain.get("type") == "filter":
                return name
        return None

    def policy(self, hook: str) -> str:
        """What the chain at this hook does when no rule decides; ``accept`` where there is no chain, as the kernel."""
        name = self.base_chain(hook)
        return "accept" if name is None else str(self.chains[name].get("policy", "accept"))

    def decide(self, hook: str, packet: Packet) -> Decision:
        """What the chain at this hook does with a packet.

        Raises:
            NotUnderstoodError: the packet meets an expression that is not understood.
        """
        name = self.base_chain(hook)
        verdict = None if name is None else self._walk(name, packet)
        if verdict in (None, "return"):
            return Decision(self.policy(hook), by_policy=True)
        return Decision(str(verdict), by_policy=False)

    def _walk(self, chain: str, packet: Packet) -> str | None:
        for expressions in self.rules.get(chain, ()):
            verdict = self._apply(expressions, packet)
            if verdict is not None:
                return None if verdict == "return" else verdict
        return None

    def _apply(self, expressions: Iterable[Any], packet: Packet) -> str | None:
        for expression in expressions:
            kind, body = _only(expression)
            if kind in _VERDICTS:
                return str(kind)
            if kind in {"jump", "goto", "return", "vmap"}:
                verdict = self._follow(kind, body, packet)
                if verdict is not None:
                    return verdict
            elif not self._continues(kind, body, packet):
                return None
        return None

    def _follow(self, kind: str, body: Any, packet: Packet) -> str | None:
        if kind == "return":
            return "return"
        if kind == "jump":
            return self._walk(body["target"], packet)
        if kind == "goto":
            return self._walk(body["target"], packet) or "return"
        value = self._value(body["key"], packet)
        for key, verdict in self._elements(body["data"]):
            if value is not NO_VALUE and self._equals(value, key):
                return self._apply([verdict], packet)
        return None

    def _continues(self, kind: str, body: Any, packet: Packet) -> bool:
        if kind == "match":
            return self._matches(body, packet)
        if kind == "limit":
            return packet.over_limit if body.get("inv") else not packet.over_limit
        if kind in {"set", "meter"}:
            statements = body.get("stmt", [])
            statements = statements if isinstance(statements, list) else [statements]
            return all(self._continues(*_only(entry), packet) for entry in statements)
        if kind in _IGNORED:
            return True
        raise NotUnderstoodError(f"the statement {kind!r} is not understood")

    def _matches(self, match: Mapping[str, Any], packet: Packet) -> bool:
        value = self._value(match["left"], packet)
        if value is NO_VALUE:
            return False
        operator, right = match["op"], match["right"]
        if match["left"] == {"ct": {"key": "status"}} and right != "dnat":
            raise NotUnderstoodError(f"the connection status {right!r} is not understood")
        if operator in {"==", "in"}:
            return self._equals(value, right)
        if operator == "!=":
            return not self._equals(value, right)
        if operator in COMPARISONS and isinstance(value, int):
            return bool(COMPARISONS[operator](value, right))
        raise NotUnderstoodError(f"the comparison {operator!r} is not understood")

    def _value(self, left: Any, packet: Packet) -> Any:
        if "concat" in left:
            values = [self._value(part, packet) for part in left["concat"]]
            return NO_VALUE if NO_VALUE in values else values
        if "&" in left:
            value, mask = (self._value(part, packet) if "payload" in part else flags_of(part) for part in left["&"])
            return value if value is NO_VALUE else value & mask
        if "meta" in left:
            return meta_value(left["meta"]["key"], packet)
        if "payload" in left and "field" in left["payload"]:
            return header_value(left["payload"]["protocol"], left["payload"]["field"], packet)
        if "ct" in left:
            return connection_value(left["ct"], packet)
        raise NotUnderstoodError(f"the expression {left!r} is not understood")

    def _equals(self, value: Any, right: Any) -> bool:
        if isinstance(value, frozenset):
            return bool(value == flags_of(right))
        if isinstance(right, str) and right.startswith("@"):
            return any(self._equals(value, element) for element in self.sets[right[1:]])
        if isinstance(right, Mapping):
            return self._in_group(value, right)
        if isinstance(right, list):
            return any(self._equals(value, element) for element in right)
        if isinstance(value, (IPv4Address, IPv6Address)):
            return value == _address(right)
        return bool(value == right)

    def _in_group(self, value: Any, group: Mapping[str, Any]) -> bool:
        if "set" in group:
            return any(self._equals(value, element) for element in self._elements(group))
        if "elem" in group:
            return self._equals(value, group["elem"]["val"])
        if "prefix" in group:
            return value in network_of(group)
        if "range" in group:
            first, last = group["range"]
            if isinstance(value, int):
                return bool(first <= value <= last)
            return bool(_address(first) <= value <= _address(last))
        if "concat" in group:
            return all(self._equals(part, wanted) for part, wanted in zip(value, group["concat"], strict=True))
        raise NotUnderstoodError(f"the value {dict(group)!r} is not understood")

    def _elements(self, data: Any) -> list[Any]:
        if isinstance(data, str):
            return self.sets[data.removeprefix("@")]
        elements = data["set"]
        return elements if isinstance(elements, list) else [elements]


def network_of(element: Mapping[str, Any]) -> IPv4Network | IPv6Network:
    """The network of a JSON prefix."""
    return _network(element["prefix"]["addr"], element["prefix"]["len"])


# A rule set names few addresses and is asked about tens of thousands of packets: each is read once.
@cache
def _address(text: str) -> Address:
    return ip_address(text)


@cache
def _network(address: str, length: int) -> IPv4Network | IPv6Network:
    return ip_network(f"{address}/{length}")


def _only(entry: Mapping[str, Any]) -> tuple[str, Any]:
    """The name and the body of a JSON object with one key."""
    ((name, body),) = entry.items()
    return name, body
