"""What the engine's network program leaves in the packet filter when its last network is gone, and how that goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Ruleset = Mapping[str, Any]
"""The output of ``nft --json list ruleset`` (libnftables-json(5))."""
Object = dict[str, Any]

SHARED_CHAINS = frozenset(
    {
        "NETAVARK_FORWARD",
        "NETAVARK_INPUT",
        "NETAVARK_ISOLATION_1",
        "NETAVARK_ISOLATION_2",
        "NETAVARK_ISOLATION_3",
        "NETAVARK-HOSTPORT-DNAT",
        "NETAVARK-HOSTPORT-MASQ",
        "NETAVARK-HOSTPORT-SETMARK",
    }
)
"""Chains that netavark makes once for all its networks (netavark 1.4, src/firewall/varktables/types.rs)."""
OWN_TABLE = "netavark"
"""The table in which newer versions of netavark keep everything (1.10, src/firewall/nft.rs)."""


@dataclass(frozen=True, order=True)
class Chain:
    """A chain of the packet filter; an empty name means the table itself."""

    family: str
    table: str
    name: str = ""

    @property
    def of_table(self) -> Chain:
        """The table that the chain is in."""
        return Chain(self.family, self.table)


def chains_and_tables(ruleset: Ruleset) -> frozenset[Chain]:
    """All tables and chains of a rule set."""
    found = set()
    for kind, body in _objects(ruleset):
        if kind == "table":
            found.add(Chain(body["family"], body["name"]))
        elif kind == "chain":
            found.add(Chain(body["family"], body["table"], body["name"]))
    return frozenset(found)


def is_in_use(ruleset: Ruleset) -> bool:
    """Whether a network of netavark's is left, of whatever engine: the shared chains are needed then."""
    return any(
        chain.name.startswith("nv_")
        if chain.table == OWN_TABLE
        else chain.name.startswith("NETAVARK") and chain.name not in SHARED_CHAINS
        for chain in chains_and_tables(ruleset)
    )


def removal(ruleset: Ruleset, before: frozenset[Chain]) -> list[Object]:
    """The commands that remove what netavark left, as one transaction for ``nft --json --file -``.

    Args:
        ruleset: The rule set now; no network of netavark's is in use.
        before: The tables and chains that were there before the first fleet came up: they stay.
    """
    now = chains_and_tables(ruleset)
    own_tables = {chain for chain in now - before if not chain.name and chain.table == OWN_TABLE}
    left = {chain for chain in now - before if chain.name in SHARED_CHAINS and chain.of_table not in own_tables}
    rules = [(_chain_of(body), body["handle"], _targets(body)) for kind, body in _objects(ruleset) if kind == "rule"]
    leading = [
        (chain, handle)
        for chain, handle, targets in rules
        if chain not in left and any(Chain(chain.family, chain.table, target) in left for target in targets)
    ]
    filled = {chain for chain, handle, _ in rules if (chain, handle) not in leading}
    touched = {chain.of_table for chain in left}
    emptied = {chain for chain in _hooks(ruleset) - before - filled if chain.of_table in touched}
    remaining = {chain.of_table for chain in now - left - emptied if chain.name}
    tables = {table for table in touched - before if table not in remaining} | own_tables
    return [
        *({"delete": {"rule": {**_address(chain, "chain"), "handle": handle}}} for chain, handle in leading),
        *({"flush": {"chain": _address(chain, "name")}} for chain in sorted(left)),
        *({"delete": {"chain": _address(chain, "name")}} for chain in sorted(left | emptied)),
        *({"delete": {"table": {"family": table.family, "name": table.table}}} for table in sorted(tables)),
    ]


def _objects(ruleset: Ruleset) -> list[tuple[str, Object]]:
    return [(kind, body) for entry in ruleset["nftables"] for kind, body in entry.items()]


def _hooks(ruleset: Ruleset) -> set[Chain]:
    """The chains through which packets enter a table; only these can be empty without anybody meaning them to be."""
    return {
        Chain(body["family"], body["table"], body["name"])
        for kind, body in _objects(ruleset)
        if kind == "chain" and "hook" in body
    }


def _chain_of(rule: Object) -> Chain:
    return Chain(rule["family"], rule["table"], rule["chain"])


def _targets(rule: Object) -> list[str]:
    return [verdict[kind]["target"] for verdict in rule.get("expr", []) for kind in ("jump", "goto") if kind in verdict]


def _address(chain: Chain, key: str) -> Object:
    return {"family": chain.family, "table": chain.table, key: chain.name}
