"""What passes through a host: pods, their published ports, and nothing besides."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import Any

import pytest

from palisade.verification.forwarding import Passage, forwarding_deviations
from palisade.verification.nftables import RuleSet
from palisade.verification.packets import NotUnderstoodError, Packet

OWN = IPv4Address("10.77.0.21")
CLIENTS = (IPv4Network("10.77.0.0/24"),)
PODS = (IPv4Network("10.244.0.0/24"),)
EXPECTED = (
    Passage("tcp", 443, CLIENTS, PODS, asked=(OWN,)),
    Passage("tcp", None, PODS, PODS),
    Passage("udp", 53, PODS, CLIENTS),
)
ACCEPT: dict[str, Any] = {"accept": None}
TRANSLATED = {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}
ASKED_ADDRESS: dict[str, Any] = {
    "match": {"op": "==", "left": {"ct": {"key": "ip daddr", "dir": "original"}}, "right": str(OWN)}
}
ASKED_ANOTHER = {"match": {**ASKED_ADDRESS["match"], "right": {"set": [str(OWN), "10.77.0.100"]}}}
ASKED_PORT = {"match": {"op": "==", "left": {"ct": {"key": "proto-dst", "dir": "original"}}, "right": 443}}


def field(protocol: str, name: str, right: Any) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": name}}, "right": right}}


def network(name: str, networks: tuple[IPv4Network, ...]) -> dict[str, Any]:
    (only,) = networks
    return field("ip", name, {"prefix": {"addr": str(only.network_address), "len": only.prefixlen}})


FROM_CLIENTS, FROM_PODS = network("saddr", CLIENTS), network("saddr", PODS)
TO_CLIENTS, TO_PODS = network("daddr", CLIENTS), network("daddr", PODS)
TCP = {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}
PUBLISHED = [FROM_CLIENTS, TO_PODS, TCP, TRANSLATED, ASKED_ADDRESS, ASKED_PORT, ACCEPT]
AMONG_PODS = [FROM_PODS, TO_PODS, TCP, ACCEPT]
NAMES = [FROM_PODS, TO_CLIENTS, field("udp", "dport", 53), ACCEPT]


def found(*expressions: list[Any]) -> list[str]:
    table = {"family": "inet", "table": "palisade"}
    chain = {"name": "forward", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}
    entries: list[Any] = [{"chain": {**table, **chain}}]
    entries += [{"rule": {**table, "chain": "forward", "expr": expression}} for expression in expressions]
    rules = RuleSet.parse(json.loads(json.dumps({"nftables": entries})), family="inet", table="palisade")
    return forwarding_deviations(rules, EXPECTED, own=OWN)


def without(expressions: list[Any], *removed: dict[str, Any]) -> list[Any]:
    return [expression for expression in expressions if expression not in removed]


def test_rules_that_say_what_is_expected() -> None:
    assert found(PUBLISHED, AMONG_PODS, NAMES) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ([AMONG_PODS, NAMES], "who asked for 10.77.0.21 port 443, to 10.244.0.0 does not pass"),
        ([PUBLISHED, AMONG_PODS], "udp 53 from 10.244.0.0 to 10.77.0.0 does not pass"),
        ([without(PUBLISHED, ASKED_PORT), AMONG_PODS, NAMES], "who asked for 10.77.0.21 port 0, to 10.244.0.0 passes"),
        # A neighbour that routes the address of a service through the node reaches the service's pods.
        (
            [without(PUBLISHED, ASKED_ADDRESS), AMONG_PODS, NAMES],
            "who asked for 0.0.0.0 port 443, to 10.244.0.0 passes",
        ),
        (
            [PUBLISHED, [*without(PUBLISHED, ASKED_ADDRESS, ACCEPT), ASKED_ANOTHER, ACCEPT], AMONG_PODS, NAMES],
            "who asked for 10.77.0.100 port 443, to 10.244.0.0 passes",
        ),
        (
            [without(PUBLISHED, TRANSLATED, ASKED_ADDRESS), AMONG_PODS, NAMES],
            "tcp 443 from 10.77.0.0 to 10.244.0.0 passes",
        ),
        ([PUBLISHED, without(AMONG_PODS, FROM_PODS), NAMES], "tcp 0 from 0.0.0.0 to 10.244.0.0 passes"),
        ([PUBLISHED, without(AMONG_PODS, TCP), NAMES], "udp 0 from 10.244.0.0 to 10.244.0.0 passes"),
        (
            [PUBLISHED, AMONG_PODS, NAMES, [field("tcp", "dport", 9999), ACCEPT]],
            "tcp 9999 from 0.0.0.0 to 0.0.0.0 passes",
        ),
    ],
)
def test_rules_that_say_something_else(changed: list[list[Any]], sentence: str) -> None:
    assert [line for line in found(*changed) if line.endswith(sentence)]


def test_without_rules_nothing_passes() -> None:
    assert all(sentence.endswith("does not pass") for sentence in found())


@pytest.mark.parametrize(
    "unknown",
    [
        {"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "assured"}},
        {"match": {"op": "==", "left": {"ct": {"key": "mark"}}, "right": 1}},
        {"match": {"op": "==", "left": {"ct": {"key": "proto-dst", "dir": "reply"}}, "right": 443}},
    ],
)
def test_what_is_not_understood_is_an_error(unknown: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstoodError):
        found([unknown, ACCEPT])


def test_what_was_asked_for_is_what_arrives_unless_translated() -> None:
    table = {"family": "inet", "table": "palisade"}
    entries: list[Any] = [
        {"chain": {**table, "name": "forward", "type": "filter", "hook": "forward", "policy": "drop"}},
        {"rule": {**table, "chain": "forward", "expr": [ASKED_ADDRESS, ASKED_PORT, ACCEPT]}},
    ]
    rules = RuleSet.parse({"nftables": entries}, family="inet", table="palisade")
    packet = Packet(source=ip_address("10.77.0.1"), destination=OWN, protocol="tcp", port=443)
    assert rules.decide("forward", packet).verdict == "accept"
