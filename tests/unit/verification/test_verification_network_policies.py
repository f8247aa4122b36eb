"""What Network Policies let through, in the words of the control registry."""

from __future__ import annotations

from typing import Any

import pytest

from palisade.verification.network_policies import Flow, denies_everything, flow_of, flows_of

DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
BOTH = ["Ingress", "Egress"]


def policy(**spec: Any) -> dict[str, Any]:
    return {"spec": {"podSelector": {}, **spec}}


@pytest.mark.parametrize(
    ("spec", "denies"),
    [
        ({"policyTypes": BOTH}, True),
        ({"policyTypes": BOTH, "ingress": [], "egress": None}, True),
        ({"policyTypes": ["Ingress"]}, False),
        ({}, False),
        ({"policyTypes": BOTH, "ingress": [{}]}, False),
        ({"policyTypes": BOTH, "egress": [{"to": []}]}, False),
        ({"policyTypes": BOTH, "podSelector": {"matchLabels": {"app": "a"}}}, False),
        ({"policyTypes": BOTH, "podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, False),
    ],
    ids=["both ways", "empty rules", "one way", "no way", "lets in", "lets out", "some pods", "pods with a label"],
)
def test_denies_everything(spec: dict[str, Any], *, denies: bool) -> None:
    assert denies_everything(policy(**spec)) is denies


@pytest.mark.parametrize(
    ("spec", "flow"),
    [
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"protocol": "TCP", "port": 443}]}]},
            Flow("all", "from", ("10.0.0.0/8",), ("TCP 443",)),
        ),
        (
            {"egress": [{"to": [DNS], "ports": [{"protocol": "UDP", "port": 53}, {"port": 53}]}]},
            Flow("all", "to", ("kube-system k8s-app=kube-dns",), ("TCP 53", "UDP 53")),
        ),
        ({"ingress": [{}]}, Flow("all", "from", ("anywhere",), ("all",))),
        ({"egress": [{"to": []}]}, Flow("all", "to", ("anywhere",), ("all",))),
        (
            {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]},
            Flow("all", "to", ("10.0.0.0/8 except 10.1.0.0/16",), ("all",)),
        ),
        (
            {"ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 1, "endPort": 9, "protocol": "SCTP"}]}]},
            Flow("all", "from", ("own namespace all",), ("SCTP 1-9",)),
        ),
        (
            {"ingress": [{"from": [{"namespaceSelector": {}}]}], "podSelector": {"matchLabels": {"app": "a"}}},
            Flow("app=a", "from", ("namespaces all",), ("all",)),
        ),
        (
            {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}]},
            Flow("all", "from", ("namespaces team=a",), ("all",)),
        ),
        (
            {"ingress": [{"ports": [{"port": "https"}, {"protocol": "UDP"}]}]},
            Flow("all", "from", ("anywhere",), ("TCP https", "UDP all")),
        ),
        (
            {
                "ingress": [{}],
                "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]},
            },
            Flow("app In a,b", "from", ("anywhere",), ("all",)),
        ),
    ],
)
def test_one_flow(spec: dict[str, Any], flow: Flow) -> None:
    assert flows_of(policy(**spec)) == [flow]


def test_a_namespace_by_name_and_something_else_is_not_that_namespace() -> None:
    labels = {"kubernetes.io/metadata.name": "kube-system", "team": "a"}
    (flow,) = flows_of(policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": labels}}]}]))
    assert flow.peers == ("namespaces kube-system team=a",)


def test_words_stand_for_networks_and_ports() -> None:
    row = {"pods": "all", "to": ["api_servers", "kube-system"], "ports": ["TCP api_server", "UDP 53"]}
    flow = flow_of(row, {"api_servers": ["10.77.0.12/32", "10.77.0.11/32"]}, {"api_server": [6443]})
    assert flow == Flow("all", "to", ("10.77.0.11/32", "10.77.0.12/32", "kube-system"), ("TCP 6443", "UDP 53"))
    assert flow.document() == {
        "pods": "all",
        "to": ["10.77.0.11/32", "10.77.0.12/32", "kube-system"],
        "ports": ["TCP 6443", "UDP 53"],
    }
