"""What a rule set does with a packet, and what it admits in all."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Any

import pytest

from palisade.verification.admission import Admission, deviations
from palisade.verification.nftables import Decision, RuleSet
from palisade.verification.packets import NotUnderstoodError, Packet

OWN = IPv4Address("10.77.0.21")
TCP_PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
SOURCE_PORT = {"payload": {"protocol": "tcp", "field": "sport"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
ACCEPT: dict[str, Any] = {"accept": None}
DROP: dict[str, Any] = {"drop": None}


def match(left: Any, right: Any, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": left, "right": right}}


def prefix(address: str, length: int) -> dict[str, Any]:
    return {"prefix": {"addr": address, "len": length}}


def rules(*expressions: list[Any], policy: str = "drop", chain: str = "input", **sets: list[Any]) -> RuleSet:
    """A table as ``nft -j list table inet palisade`` prints it."""
    table = {"family": "inet", "table": "palisade"}
    entries: list[Any] = [
        {"metainfo": {"json_schema_version": 1}},
        {"table": {"family": "inet", "name": "palisade"}},
        {"chain": {**table, "name": chain, "type": "filter", "hook": chain, "prio": 0, "policy": policy}},
        {"chain": {**table, "name": "further"}},
        {"rule": {**table, "chain": "further", "expr": [match(TCP_PORT, 8443), ACCEPT]}},
        *({"set": {**table, "name": name, "elem": elements}} for name, elements in sets.items()),
        *({"rule": {**table, "chain": chain, "expr": expression}} for expression in expressions),
        {"rule": {**table, "table": "another", "chain": chain, "expr": [ACCEPT]}},
    ]
    return RuleSet.parse(json.loads(json.dumps({"nftables": entries})), family="inet", table="palisade")


def packet(**changes: Any) -> Packet:
    fields: dict[str, Any] = {"source": "10.77.0.1", "destination": str(OWN), "protocol": "tcp", "port": 22, **changes}
    return Packet(
        **{**fields, "source": ip_address(fields["source"]), "destination": ip_address(fields["destination"])}
    )


VERDICT_MAP = {"vmap": {"key": STATE, "data": {"set": [["invalid", DROP], ["established", ACCEPT]]}}}
FLAGS = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, {"|": ["fin", "syn", "rst", "ack"]}]}
METER = {"set": {"op": "update", "elem": SOURCE, "set": "@seen", "stmt": [{"limit": {"rate": 30, "per": "minute"}}]}}
OVER = {"set": {"op": "update", "elem": SOURCE, "set": "@seen", "stmt": [{"limit": {"rate": 30, "inv": True}}]}}


@pytest.mark.parametrize(
    ("expression", "admitted", "dropped"),
    [
        ([match(TCP_PORT, 22), ACCEPT], {}, {"port": 23}),
        ([match(TCP_PORT, 22), ACCEPT], {}, {"protocol": "udp"}),
        ([match(TCP_PORT, {"set": [22, 443]}), ACCEPT], {"port": 443}, {"port": 80}),
        ([match(TCP_PORT, {"range": [20, 30]}), ACCEPT], {"port": 30}, {"port": 31}),
        ([match(TCP_PORT, 1024, ">="), ACCEPT], {"port": 1024}, {"port": 1023}),
        ([match(SOURCE, prefix("10.77.0.0", 24)), ACCEPT], {"source": "10.77.0.255"}, {"source": "10.78.0.0"}),
        ([match(SOURCE, "10.77.0.1"), ACCEPT], {}, {"source": "fe80::1", "destination": "fe80::2"}),
        ([match(SOURCE, "@operators"), ACCEPT], {"source": "192.0.2.7"}, {"source": "192.0.2.17"}),
        ([match(SOURCE, prefix("10.0.0.0", 8), "!="), ACCEPT], {"source": "192.0.2.1"}, {"source": "10.9.9.9"}),
        ([match(STATE, ["established", "related"], "in"), ACCEPT], {"state": "related"}, {"state": "new"}),
        ([VERDICT_MAP], {"state": "established"}, {"state": "new"}),
        ([match({"meta": {"key": "iifname"}}, "lo"), ACCEPT], {"arrives_on": "lo"}, {}),
        (
            [match({"meta": {"key": "l4proto"}}, {"set": ["tcp", "udp"]}), ACCEPT],
            {"protocol": "udp"},
            {"protocol": "icmp"},
        ),
        ([match({"meta": {"key": "nfproto"}}, "ipv6"), ACCEPT], {"source": "fe80::1", "destination": "fe80::2"}, {}),
        ([match({"payload": {"protocol": "th", "field": "dport"}}, 53), ACCEPT], {"protocol": "udp", "port": 53}, {}),
        (
            [match({"payload": {"protocol": "icmp", "field": "type"}}, {"set": ["time-exceeded"]}), ACCEPT],
            {"protocol": "icmp", "icmp_type": "time-exceeded"},
            {"protocol": "icmp", "icmp_type": "redirect"},
        ),
        ([match({"concat": [SOURCE, TCP_PORT]}, {"set": [{"concat": ["10.77.0.1", 22]}]}), ACCEPT], {}, {"port": 23}),
        ([match(FLAGS, "syn", "!="), ACCEPT], {"flags": frozenset({"ack"})}, {}),
        ([METER, ACCEPT], {}, {"over_limit": True}),
        ([{"limit": {"rate": 5, "per": "minute"}}, ACCEPT], {}, {"over_limit": True}),
        ([{"counter": {"packets": 1}}, {"log": {"prefix": "x"}}, ACCEPT], {}, None),
        ([{"jump": {"target": "further"}}], {"port": 8443}, {"port": 22}),
        ([{"goto": {"target": "further"}}], {"port": 8443}, {"port": 22}),
        ([match(TCP_PORT, 22), {"return": None}], None, {}),
    ],
)
def test_one_rule(expression: list[Any], admitted: dict[str, Any] | None, dropped: dict[str, Any] | None) -> None:
    found = rules(expression, operators=[prefix("192.0.2.0", 28)], seen=[])
    if admitted is not None:
        assert found.decide("input", packet(**admitted)) == Decision("accept", by_policy=False)
    if dropped is not None:
        assert found.decide("input", packet(**dropped)) == Decision("drop", by_policy=True)


def test_the_first_rule_that_decides_counts() -> None:
    found = rules([OVER, DROP], [match(TCP_PORT, 22), ACCEPT], seen=[])
    assert found.decide("input", packet()) == Decision("accept", by_policy=False)
    assert found.decide("input", packet(over_limit=True)) == Decision("drop", by_policy=False)


def test_after_a_jump_the_next_rule_is_asked_and_after_a_goto_it_is_not() -> None:
    jump, go = {"jump": {"target": "further"}}, {"goto": {"target": "further"}}
    assert rules([jump], [ACCEPT]).decide("input", packet()) == Decision("accept", by_policy=False)
    assert rules([go], [ACCEPT]).decide("input", packet()) == Decision("drop", by_policy=True)


def test_without_a_chain_everything_is_accepted() -> None:
    found = rules(chain="output")
    assert found.decide("input", packet()) == Decision("accept", by_policy=True)
    assert (found.policy("output"), found.base_chain("input")) == ("drop", None)


@pytest.mark.parametrize(
    "expression",
    [
        [{"tproxy": {"port": 80}}, ACCEPT],
        [match({"fib": {"result": "type"}}, "local"), ACCEPT],
        [match({"meta": {"key": "skuid"}}, 0), ACCEPT],
        [match({"payload": {"protocol": "ip", "field": "ttl"}}, 1), ACCEPT],
        [match({"payload": {"protocol": "tcp", "field": "window"}}, 1), ACCEPT],
        [match(TCP_PORT, {"map": {}}), ACCEPT],
    ],
)
def test_what_is_not_understood_is_an_error_and_never_a_guess(expression: list[Any]) -> None:
    with pytest.raises(NotUnderstoodError, match="not understood"):
        rules(expression).decide("input", packet())


OPERATORS = IPv4Network("10.77.0.0/28")
SSH = Admission("tcp", 22, (OPERATORS,))
GOOD_RULE = [match(SOURCE, prefix("10.77.0.0", 28)), match(TCP_PORT, 22), ACCEPT]


@pytest.mark.parametrize(
    ("expressions", "sentences"),
    [
        ([GOOD_RULE], []),
        ([], ["tcp 22 from 10.77.0.0-10.77.0.15 is not admitted"]),
        (
            [[match(TCP_PORT, 22), ACCEPT]],
            ["tcp 22 from 0.0.0.0-10.76.255.255 is admitted", "tcp 22 from 10.77.0.16-255.255.255.255 is admitted"],
        ),
        (
            [GOOD_RULE, [match(TCP_PORT, {"range": [8000, 8002]}), ACCEPT]],
            ["tcp 8000-8002 from 0.0.0.0-255.255.255.255 is admitted"],
        ),
        (
            [GOOD_RULE, [match(SOURCE, "192.0.2.7"), match({"meta": {"key": "l4proto"}}, "udp"), ACCEPT]],
            ["udp 0-65535 from 192.0.2.7 is admitted"],
        ),
        ([[match(SOURCE, "10.77.0.3"), DROP], GOOD_RULE], ["tcp 22 from 10.77.0.3 is not admitted"]),
        (
            [GOOD_RULE, [match(SOURCE_PORT, 53), match(TCP_PORT, 99), ACCEPT]],
            ["tcp 99 from 0.0.0.0-255.255.255.255 is admitted"],
        ),
        (
            [GOOD_RULE, [match(SOURCE_PORT, "@known"), match(TCP_PORT, 99), ACCEPT]],
            ["tcp 99 from 0.0.0.0-255.255.255.255 is admitted"],
        ),
    ],
    ids=[
        "exact",
        "nothing",
        "from anywhere",
        "ports besides",
        "one address besides",
        "one address less",
        "by its own port",
        "by its own port, of a set",
    ],
)
def test_too_much_and_too_little_is_named(expressions: list[list[Any]], sentences: list[str]) -> None:
    assert deviations(rules(*expressions, known=[53]), "input", [SSH], own=OWN) == sentences


def test_the_policy_admits_nothing_here() -> None:
    assert deviations(rules(policy="accept"), "input", [], own=OWN) == []


def test_leaving_packets_are_judged_by_where_they_go() -> None:
    destination = {"payload": {"protocol": "ip", "field": "daddr"}}
    found = rules([match(destination, "10.77.0.31"), match(TCP_PORT, 5432), ACCEPT], chain="output")
    wanted = Admission("tcp", 5432, (IPv4Network("10.77.0.31/32"),))
    assert deviations(found, "output", [wanted], own=OWN) == []
    assert deviations(found, "output", [], own=OWN) == ["tcp 5432 to 10.77.0.31 is admitted"]
