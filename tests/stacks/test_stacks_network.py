"""Network policies: denied both ways everywhere, and exactly the named allowances."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from stacks_program import PROJECT_ROOT, graph_of, of_kind, run_program, shipped_fleet

from palisade.controls import load_controls
from palisade.errors import ConfigurationError
from palisade.fleet import parse_fleet
from palisade.project import Project
from palisade.registry.model import Apis, LifecycleState, Upstream, apis_file
from palisade.registry.openapi import read_description
from palisade.rendering.graph import Graph
from palisade.verification.cluster_access import find_cluster
from palisade.verification.network_policies import ALL_PODS, Flow, flow_of, flows_of
from stacks.network import AllowanceTable, Peer
from stacks.tables import read_table
from tests.local_state import DIGEST, write_authority

NAMESPACES = ("palisade-agents", "palisade-registry", "palisade-system")
UNUSED = "default/among-themselves"


@pytest.fixture(scope="module")
def prod() -> Graph:
    return graph_of("prod")


def hosts_of(environment: str, group: str) -> list[str]:
    return [host["address"] for host in shipped_fleet(environment)["hosts"] if host["group"] == group]


def policies(graph: Graph) -> dict[str, Any]:
    return {name: each.inputs["spec"] for name, each in of_kind(graph, "NetworkPolicy").items()}


def test_every_namespace_denies_both_ways(prod: Graph) -> None:
    for namespace in NAMESPACES:
        spec = policies(prod)[f"{namespace}/default-deny"]
        assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_there_is_one_policy_for_each_allowance_and_direction_and_no_other(prod: Graph) -> None:
    assert set(policies(prod)) == {
        *(f"{namespace}/default-deny" for namespace in NAMESPACES),
        *(f"{namespace}/names-egress" for namespace in NAMESPACES),
        "palisade-system/kubernetes-api-egress",
        "palisade-system/certificate-webhook-ingress",
        "palisade-system/certificates-egress",
        "palisade-registry/clients-ingress",
        "palisade-registry/database-egress",
        *(["palisade-registry/token-keys-egress"] if hosts_of("prod", "vault") else []),
        UNUSED,
    }


def test_pods_of_the_namespace_default_reach_nobody_but_each_other(prod: Graph) -> None:
    assert policies(prod)[UNUSED] == {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {}}]}],
    }


def test_every_rule_names_its_peers_and_its_ports(prod: Graph) -> None:
    for name, spec in policies(prod).items():
        if name == UNUSED:
            continue  # every port of its own pods
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, ()):
                assert rule[side], name
                assert all(port["protocol"] in {"TCP", "UDP"} and port["port"] > 0 for port in rule["ports"])
                assert rule["ports"], name


def test_names_are_asked_of_the_clusters_name_service_only(prod: Graph) -> None:
    (rule,) = policies(prod)["palisade-registry/names-egress"]["egress"]
    (peer,) = rule["to"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    assert peer["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    ports = {(port["protocol"], port["port"]) for port in rule["ports"]}
    assert ports == {(protocol, number) for protocol in ("UDP", "TCP") for number in (53, 5353)}


def test_the_api_server_is_reached_at_the_addresses_of_the_configuration(prod: Graph) -> None:
    (rule,) = policies(prod)["palisade-system/kubernetes-api-egress"]["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["10.40.0.5/32", "10.40.0.6/32", "10.40.0.7/32"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 443}]


def test_clients_reach_the_published_ports_from_the_networks_of_the_configuration(prod: Graph) -> None:
    (rule,) = policies(prod)["palisade-registry/clients-ingress"]["ingress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["from"]] == ["10.0.0.0/8", "203.0.113.0/24"]
    assert [port["port"] for port in rule["ports"]] == [443, 8443]


@pytest.mark.parametrize(
    ("balancer", "others"),
    [
        (None, ["10.20.0.32/29"]),
        ({"sends_to": "pods", "networks": ["10.21.0.0/28"]}, ["10.21.0.0/28"]),
        ({"sends_to": "service-address", "addresses": ["10.20.0.100"]}, []),
    ],
    ids=["dev as it is shipped", "pods", "an address"],
)
def test_a_load_balancer_that_has_an_address_of_its_own_reaches_pods(balancer: Any, others: list[str]) -> None:
    fleet = shipped_fleet("dev")
    if balancer:
        fleet["edge"] = {**fleet["edge"], "load_balancer": balancer}
    (rule,) = policies(run_program("dev", fleet))["palisade-registry/clients-ingress"]["ingress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["from"]] == ["10.0.0.0/8", *others]


def test_only_registry_pods_reach_the_database_hosts(prod: Graph) -> None:
    spec = policies(prod)["palisade-registry/database-egress"]
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "registry"}}
    (rule,) = spec["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == [f"{one}/32" for one in hosts_of("prod", "database")]
    assert [port["port"] for port in rule["ports"]] == [5432, 6380]


def with_upstreams() -> dict[str, Any]:
    fleet: dict[str, Any] = shipped_fleet("prod")
    return {**fleet, "networks": {**fleet["networks"], "upstreams": ["10.60.0.0/24", "10.61.0.0/24"]}}


def publish_apis() -> None:
    """Export three versions of an API: two are served, from services on different ports, and one is not any more."""
    example = read_description(PROJECT_ROOT / "policies/api/examples/finance.yaml")
    served = example.api(state=LifecycleState.ENABLED, git_commit="0" * 40)
    versions = [
        served.model_copy(
            update={
                "version": version,
                "state": state,
                "upstream": Upstream(host="old", port=port),
                "operations": (served.operations[0].model_copy(update={"path": f"/{version}"}),),
            }
        )
        for version, state, port in (
            ("0.9.0", LifecycleState.DISABLED, 9),
            ("0.9.1", LifecycleState.ENABLED, 9443),
        )
    ]
    apis_file("prod").parent.mkdir(parents=True, exist_ok=True)
    apis_file("prod").write_text(Apis(apis=(served, *versions)).text(), encoding="utf-8")


def test_services_behind_apis_are_reached_on_the_ports_that_are_registered_and_only_if_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    write_authority(tmp_path, "prod")
    fleet = with_upstreams()
    assert "palisade-registry/upstreams-egress" not in policies(run_program("prod", fleet))
    publish_apis()
    graph = run_program("prod", fleet)
    assert graph.outputs["fleet"]["upstreams"] == {"networks": ["10.60.0.0/24", "10.61.0.0/24"], "ports": [8080, 9443]}
    (rule,) = policies(graph)["palisade-registry/upstreams-egress"]["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["10.60.0.0/24", "10.61.0.0/24"]
    assert [port["port"] for port in rule["ports"]] == [8080, 9443]
    assert "palisade-registry/upstreams-egress" not in policies(run_program("prod", shipped_fleet("prod")))


def elsewhere() -> dict[str, Any]:
    """An environment whose Vault and whose issuer are the organisation's own."""
    fleet: dict[str, Any] = shipped_fleet("prod")
    fleet["hosts"] = [host for host in fleet["hosts"] if host["group"] != "vault"]
    fleet["cluster"] = {**fleet["cluster"], "cert_manager": "install"}
    fleet["images"] = {**fleet["images"], "cert-manager": f"registry.example/palisade/cert-manager@{DIGEST}"}
    fleet["vault"] = {"address": "https://vault.corp:8201", "networks": ["10.50.0.0/28"]}
    fleet["tokens"] = {
        "issuer": "https://login.corp",
        "jwks_uri": "https://login.corp/keys",
        "networks": ["203.0.113.8/29", "10.51.0.9/32"],
    }
    return fleet


def test_a_vault_and_an_issuer_elsewhere_are_reached_at_their_networks_and_ports() -> None:
    found = policies(run_program("prod", elsewhere()))
    ways = {
        name: ([peer["ipBlock"]["cidr"] for peer in rule["to"]], [port["port"] for port in rule["ports"]])
        for name in ("palisade-system/certificates-egress", "palisade-registry/token-keys-egress")
        for rule in found[name]["egress"]
    }
    assert ways == {
        "palisade-system/certificates-egress": (["10.50.0.0/28"], [8201]),
        "palisade-registry/token-keys-egress": (["203.0.113.8/29", "10.51.0.9/32"], [443]),
    }


def balanced() -> dict[str, Any]:
    """An environment whose load balancer sends to pods."""
    fleet: dict[str, Any] = shipped_fleet("prod")
    fleet["edge"] = {**fleet["edge"], "load_balancer": {"sends_to": "pods", "networks": ["10.41.0.0/28"]}}
    return fleet


@pytest.mark.parametrize(
    "changes",
    [elsewhere, balanced, with_upstreams, lambda: shipped_fleet("prod")],
    ids=["elsewhere", "balanced", "with upstreams", "shipped"],
)
def test_the_control_expects_the_ways_that_are_declared(
    changes: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    write_authority(tmp_path / "state", "prod")
    publish_apis()
    document = {"config": {"palisade:fleet": changes()}}
    (tmp_path / "Pulumi.prod.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    graph = run_program("prod", changes())
    access = find_cluster(Project(tmp_path), parse_fleet(json.dumps(whole(graph.outputs["fleet"])), where="a test"))
    assert access is not None
    for namespace in ("palisade-registry", "palisade-system"):
        rows = [row for row in expected_flows()[namespace] if not row.get("only_local")]
        wanted = {flow for row in rows if (flow := flow_of(row, access.networks, access.ports)).peers}
        declared = (each.inputs for each in of_kind(graph, "NetworkPolicy").values())
        own = (each for each in declared if each["metadata"]["namespace"] == namespace)
        assert {flow for policy in own for flow in flows_of(whole(policy))} == wanted


def test_every_allowance_has_its_row_in_the_control_and_every_row_its_allowance() -> None:
    """Also those of which no environment here has the network: compared in words, before anybody fills them in."""
    words: dict[str, set[Flow]] = {namespace: set() for namespace in NAMESPACES}
    for allowance in read_table("network_allowances", AllowanceTable).allowances:
        ports = tuple(sorted(f"{each.protocol} {each.port}" for each in allowance.ports))
        for source in allowance.sources:
            if source.namespace in words:
                words[source.namespace].add(Flow(pods_of(source), "to", (in_words(allowance.to),), ports))
        if allowance.to.namespace in words:
            peers = tuple(sorted(in_words(source) for source in allowance.sources))
            words[allowance.to.namespace].add(Flow(pods_of(allowance.to), "from", peers, ports))
    of_table = {
        namespace: {flow_of(row, {}, {}) for row in rows if not row.get("for_sinks")}
        for namespace, rows in expected_flows().items()
    }
    assert of_table == words


def expected_flows() -> dict[str, list[dict[str, Any]]]:
    (control,) = (each for each in load_controls(PROJECT_ROOT).controls if "flows" in each.expected)
    flows: dict[str, list[dict[str, Any]]] = control.expected["flows"]
    return flows


def pods_of(peer: Peer) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(peer.pods.items())) or ALL_PODS


def in_words(peer: Peer) -> str:
    return peer.network or (f"{peer.namespace} {pods_of(peer)}" if peer.pods else str(peer.namespace))


def whole(inputs: Any) -> Any:
    """Pulumi has every number as a float; an API server and a stack's output give whole numbers back."""
    return json.loads(json.dumps(inputs).replace(".0,", ",").replace(".0}", "}").replace(".0]", "]"))


def test_only_a_local_fleet_has_a_test_upstream() -> None:
    both = {"palisade-registry/test-upstream-egress", "palisade-registry/test-upstream-ingress"}
    assert both <= set(policies(graph_of("local")))
    assert not both & set(policies(graph_of("dev")))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("from: [{}]", "A peer is pods or a network"),
        ("from: [{network: clients, namespace: palisade-system}]", "A peer is pods or a network"),
        ("from: [{network: clients, pods: {app: x}}]", "A peer is pods or a network"),
        ("from: [{network: internet}]", "'internet' is not allowed"),
        ("form: [{network: clients}]", "This key is not known"),
    ],
)
def test_an_allowance_that_says_too_much_or_too_little_is_refused(entry: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "network_allowances.yaml").write_text(
        "allowances:\n"
        f"  - name: a\n    why: b\n    {entry}\n    to: {{namespace: palisade-registry}}\n"
        "    ports: [{protocol: TCP, port: 443}]\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        read_table("network_allowances", AllowanceTable, directory=tmp_path)
    assert said in str(refused.value)
    assert "network_allowances.allowances.0" in str(refused.value)
