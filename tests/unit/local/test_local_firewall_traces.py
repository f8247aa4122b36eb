from __future__ import annotations

from typing import Any

import pytest

from palisade.local.firewall_traces import chains_and_tables, is_in_use, removal

Object = dict[str, Any]
HOOKS = {"POSTROUTING", "PREROUTING", "OUTPUT", "FORWARD"}


def table(name: str, family: str = "ip") -> Object:
    return {"table": {"family": family, "name": name, "handle": 1}}


def chain(table_name: str, name: str, family: str = "ip") -> Object:
    hook: Object = {"type": "filter", "hook": name.lower(), "prio": 0, "policy": "accept"} if name in HOOKS else {}
    return {"chain": {"family": family, "table": table_name, "name": name, "handle": 2, **hook}}


def rule(table_name: str, chain_name: str, handle: int, *, to: str | None = None) -> Object:
    verdict: Object = {"jump": {"target": to}} if to else {"accept": None}
    expression = [{"counter": {"packets": 1, "bytes": 2}}, verdict]
    return {"rule": {"family": "ip", "table": table_name, "chain": chain_name, "handle": handle, "expr": expression}}


# What netavark 1.4 (Debian 12, iptables-nft) was seen to leave after its last network was gone.
LEFT = [
    table("nat"),
    chain("nat", "POSTROUTING"),
    chain("nat", "NETAVARK-HOSTPORT-SETMARK"),
    chain("nat", "NETAVARK-HOSTPORT-MASQ"),
    chain("nat", "NETAVARK-HOSTPORT-DNAT"),
    chain("nat", "PREROUTING"),
    chain("nat", "OUTPUT"),
    rule("nat", "POSTROUTING", 11, to="NETAVARK-HOSTPORT-MASQ"),
    rule("nat", "NETAVARK-HOSTPORT-MASQ", 10),
    rule("nat", "PREROUTING", 13, to="NETAVARK-HOSTPORT-DNAT"),
    rule("nat", "OUTPUT", 15, to="NETAVARK-HOSTPORT-DNAT"),
    table("filter"),
    chain("filter", "NETAVARK_FORWARD"),
    chain("filter", "FORWARD"),
    rule("filter", "FORWARD", 5, to="NETAVARK_FORWARD"),
]


# What netavark 1.14 (Debian 13) was seen to leave.
NEWER = [
    table("netavark", "inet"),
    chain("netavark", "FORWARD", "inet"),
    chain("netavark", "NETAVARK-ISOLATION-1", "inet"),
    chain("netavark", "NETAVARK-HOSTPORT-DNAT", "inet"),
]


def ruleset(*objects: Object) -> Object:
    return {"nftables": [{"metainfo": {"version": "1.0.6"}}, *objects]}


def words(commands: list[Object]) -> list[str]:
    """Commands in short: ``delete chain nat OUTPUT``."""
    return [
        " ".join([verb, kind, *(str(value) for key, value in body.items() if key != "family")])
        for command in commands
        for verb, target in command.items()
        for kind, body in target.items()
    ]


def test_on_a_clean_machine_everything_goes() -> None:
    commands = words(removal(ruleset(*LEFT), frozenset()))
    assert commands[:4] == [
        "delete rule nat POSTROUTING 11",
        "delete rule nat PREROUTING 13",
        "delete rule nat OUTPUT 15",
        "delete rule filter FORWARD 5",
    ]
    assert "flush chain nat NETAVARK-HOSTPORT-MASQ" in commands
    assert "delete chain filter NETAVARK_FORWARD" in commands
    assert commands[-2:] == ["delete table filter", "delete table nat"]


def test_what_was_there_before_stays() -> None:
    before = chains_and_tables(ruleset(table("nat"), chain("nat", "POSTROUTING"), table("filter")))
    commands = words(removal(ruleset(*LEFT), before))
    assert "delete rule nat POSTROUTING 11" in commands
    assert "delete chain nat OUTPUT" in commands
    assert {"delete chain nat POSTROUTING", "delete table nat", "delete table filter"} & set(commands) == set()


def test_a_machine_that_had_all_of_it_before_is_not_touched() -> None:
    assert removal(ruleset(*LEFT), chains_and_tables(ruleset(*LEFT))) == []


def test_rules_and_chains_of_others_stay_with_their_table() -> None:
    others = [
        chain("filter", "MINE"),
        rule("filter", "FORWARD", 77, to="MINE"),
        table("other", "inet"),
        chain("other", "input", "inet"),
    ]
    commands = words(removal(ruleset(*LEFT, *others), frozenset()))
    assert "delete rule filter FORWARD 5" in commands
    assert "delete chain filter NETAVARK_FORWARD" in commands
    assert not any("77" in word or "MINE" in word or "other" in word for word in commands)
    assert {"delete chain filter FORWARD", "delete table filter"} & set(commands) == set()


def test_the_table_of_newer_versions_goes_as_a_whole() -> None:
    assert words(removal(ruleset(*NEWER), frozenset())) == ["delete table netavark"]
    assert removal(ruleset(*NEWER), chains_and_tables(ruleset(*NEWER))) == []


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        (LEFT, False),
        (NEWER, False),
        ([], False),
        ([*LEFT, chain("nat", "NETAVARK-1D8721804F16F")], True),
        ([*LEFT, chain("nat", "NETAVARK-DN-1D8721804F16F")], True),
        ([*NEWER, chain("netavark", "nv_2f259bab_10_88_0_0_nm16", "inet")], True),
        ([table("filter"), chain("filter", "DOCKER")], False),
    ],
)
def test_a_network_of_whatever_engine_keeps_the_shared_chains_in_use(objects: list[Object], *, expected: bool) -> None:
    assert is_in_use(ruleset(*objects)) is expected
