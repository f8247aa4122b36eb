"""The sections about Kubernetes and Pulumi's state: what is refused, and what follows from what is accepted."""

from __future__ import annotations

import copy
from ipaddress import IPv4Network
from typing import Any, NamedTuple

import pytest
from configuration_samples import REMOVED, WriteProject, changed
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from palisade.config import load_configuration
from palisade.config_cluster import ApiServer, Cluster, Provisioner, Share, State
from palisade.config_reach import Reach, reach_of_issuer, reach_of_vault
from palisade.errors import ConfigurationError
from palisade.sizing import REGISTRY_NODE, Resources, registry_requests

KARPENTER: dict[str, Any] = {
    "context": "palisade-dev",
    "provisioner": "karpenter",
    "zones": ["zone-a", "zone-b"],
    "api_server": {"addresses": ["10.20.0.5"]},
    "node_class": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "palisade-registry"},
    "instance_labels": {"cpu": "karpenter.k8s.aws/instance-cpu", "memory": "karpenter.k8s.aws/instance-memory"},
}
EXISTING = {key: KARPENTER[key] for key in ("context", "zones", "api_server")} | {"provisioner": "existing"}
PODS = ("networks.pods", "10.244.0.0/16")
BALANCER = ("edge.load_balancer", {"sends_to": "host-addresses", "addresses": ["10.20.0.100"]})

TOKENS = {"issuer": "https://login.corp", "jwks_uri": "https://login.corp/keys"}


def further(operator: str, *values: Any, key: str = "karpenter.k8s.aws/instance-category") -> list[dict[str, Any]]:
    """A list of one requirement of machines."""
    return [{"key": key, "operator": operator, "values": list(values)}]


FURTHER = "cluster.instance_requirements"


class Bad(NamedTuple):
    """One value that is refused, and what the error must say."""

    path: str
    value: Any
    allowed: str
    where: str = ""
    """The path that the error names, if it is not the path that was changed."""


BAD = [
    Bad("cluster", "palisade-dev", "a section with the keys kubeconfig, context"),
    Bad("cluster.context", REMOVED, "the name of a context"),
    Bad("cluster.context", "", "as kubectl config get-contexts shows"),
    Bad("cluster.context", "a b", "as kubectl config get-contexts shows"),
    Bad("cluster.kubeconfig", "kubeconfig", "absolute or from the home directory"),
    Bad("cluster.kubeconfig", "apiVersion: v1\nkind: Config", "the path of a kubeconfig file"),
    Bad("cluster.provisioner", "terraform", '"karpenter", "existing"'),
    Bad("cluster.provisioner", REMOVED, '"karpenter", "existing"'),
    Bad("cluster.zones", [], "at least one entry"),
    Bad("cluster.zones", ["zone-a", "zone-a"], "each entry once", where="cluster.zones.1"),
    Bad("cluster.zones", ["zone a"], "the name of a zone", where="cluster.zones.0"),
    Bad("cluster.zones", "zone-a", "a list; each entry: the name of a zone"),
    Bad("cluster.api_server", REMOVED, "a section with the keys addresses, port"),
    Bad("cluster.api_server.addresses", [], "at least one entry"),
    Bad("cluster.api_server.addresses", ["api.example"], "an IPv4 address", where="cluster.api_server.addresses.0"),
    Bad("cluster.api_server.addresses", ["10.0.0.0/8"], "an IPv4 address", where="cluster.api_server.addresses.0"),
    Bad("cluster.api_server.port", 0, "a TCP port number from 1 to 65,535"),
    Bad("cluster.node_class", REMOVED, "a section node_class"),
    Bad("cluster.node_class.group", "AWS", "an API group such as"),
    Bad("cluster.node_class.kind", "ec2", "a kind such as EC2NodeClass"),
    Bad("cluster.node_class.name", "Palisade Registry", "the name of an object"),
    Bad("cluster.instance_labels", REMOVED, "a section instance_labels"),
    Bad("cluster.instance_labels.cpu", "cpu", "a node label with its domain"),
    Bad("cluster.instance_labels.memory_unit", "GB", '"MiB" (written 16384) or "Gi" (written 16Gi)'),
    Bad(FURTHER, further("In", "m", key="category"), "a node label with its domain", where=f"{FURTHER}.0.key"),
    Bad(FURTHER, further("in", "m"), '"In", "NotIn", "Exists", "DoesNotExist", "Gt"', where=f"{FURTHER}.0.operator"),
    Bad(FURTHER, further("In"), "at least one value", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("NotIn"), "at least one value", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("In", "a b"), "a value of a label", where=f"{FURTHER}.0.values.0"),
    Bad(FURTHER, further("Exists", "m"), "no values", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("DoesNotExist", "m"), "no values", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("Gt", 4), "a value of a label in quotes", where=f"{FURTHER}.0.values.0"),
    Bad(FURTHER, further("Gt", "many"), "one whole number", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("Lt", "8", "9"), "one whole number", where=f"{FURTHER}.0.values"),
    Bad(FURTHER, further("In", "4", key="karpenter.k8s.aws/instance-cpu"), "any other", where=f"{FURTHER}.0.key"),
    Bad(FURTHER, further("In", "arm64", key="kubernetes.io/arch"), "any other", where=f"{FURTHER}.0.key"),
    Bad(FURTHER, further("Exists", key="palisade.dev/role"), "any other", where=f"{FURTHER}.0.key"),
    Bad(
        "cluster.node_reserved", {"millicpu": 1001, "memory_mib": 0}, "to 1,000", where="cluster.node_reserved.millicpu"
    ),
    Bad("cluster.daemonsets", {"millicpu": 0}, "a whole number of MiB", where="cluster.daemonsets.memory_mib"),
    Bad("cluster.cert_manager", "helm", '"install", "existing"'),
    Bad("cluster.cert_manager", value=True, allowed='"install", "existing"'),
    Bad("cluster.control_plane", "cloud", '"nodes", "managed"'),
    Bad("cluster.node_expiry_hours", 23, "a whole number of hours from 24 to 2,160"),
    Bad("cluster.token", "secret", "kubeconfig, context, provisioner"),
    Bad("cluster", {**EXISTING, "node_class": KARPENTER["node_class"]}, "no node_class", where="cluster.node_class"),
    Bad("cluster", {**EXISTING, "instance_requirements": further("In", "m")}, "with existing nodes", where=FURTHER),
    Bad("cluster", {**EXISTING, "node_expiry_hours": 48}, "with existing nodes", where="cluster.node_expiry_hours"),
    Bad("cluster", EXISTING, "at least 3 hosts of the group registry", where="cluster.provisioner"),
    Bad("vault", {"address": "https://vault.corp:8200"}, "the networks behind that name", where="vault.networks"),
    Bad("tokens", TOKENS, "or an address in tokens.jwks_uri", where="tokens.networks"),
    Bad("tokens", {**TOKENS, "networks": ["0.0.0.0/0"]}, "of /8 or smaller", where="tokens.networks.0"),
    Bad("vault.networks", ["vault.corp"], "an IPv4 network of /8 or smaller", where="vault.networks.0"),
    Bad("state.backend", "s3:palisade", "a URL of file://, s3://"),
    Bad("state.backend", "ftp://example/state", "see docs/state.md"),
    Bad("state.secrets_provider", "plaintext", "passphrase, hashivault://KEY"),
    Bad("state.passphrase", "hunter2", "backend, secrets_provider"),
]


def _name(bad: Bad) -> str:
    return f"{bad.path}={'(missing)' if bad.value is REMOVED else bad.value}"


@pytest.mark.parametrize("bad", BAD, ids=map(_name, BAD))
def test_a_bad_value_is_refused_with_its_path_and_what_is_allowed(bad: Bad, write_project: WriteProject) -> None:
    project = write_project(changed(PODS, BALANCER, ("cluster", copy.deepcopy(KARPENTER)), (bad.path, bad.value)))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(project, "dev")
    said = str(refused.value)
    assert "values are refused" not in said, "one mistake is one problem"
    assert f"fleet.{bad.where or bad.path} (line " in said
    assert bad.allowed in said


def test_a_fleet_without_the_section_has_no_cluster(write_project: WriteProject) -> None:
    configuration = load_configuration(write_project(changed()), "dev")
    assert configuration.cluster is None
    assert configuration.state == State(backend=None, secrets_provider="passphrase")


VAULT_HOST = {"name": "vault-1", "group": "vault", "address": "10.20.0.41"}


@pytest.mark.parametrize(
    ("vault", "hosts", "networks", "port"),
    [
        ({}, [VAULT_HOST], ["10.20.0.41/32"], 8200),
        ({"address": "https://vault.corp:8201"}, [VAULT_HOST], ["10.20.0.41/32"], 8201),
        ({"address": "https://10.60.0.9"}, [], ["10.60.0.9/32"], 443),
        ({"address": "https://vault.corp", "networks": ["10.60.0.0/24"]}, [VAULT_HOST], ["10.60.0.0/24"], 443),
    ],
)
def test_a_vault_is_where_its_networks_its_address_or_its_hosts_are(
    vault: dict[str, Any], hosts: list[Any], networks: list[str], port: int, write_project: WriteProject
) -> None:
    document = changed(("cluster", KARPENTER), ("vault", vault))
    document["hosts"] += hosts
    found = load_configuration(write_project(document), "dev")
    reach = reach_of_vault(found.vault, found.hosts)
    assert ([str(network) for network in reach.networks], reach.port) == (networks, port)


def test_an_issuer_at_an_address_needs_no_networks(write_project: WriteProject) -> None:
    document = changed(("cluster", KARPENTER), ("tokens", {**TOKENS, "jwks_uri": "https://10.60.0.9:8443/keys"}))
    found = load_configuration(write_project(document), "dev")
    assert reach_of_issuer(found.tokens, found.hosts) == Reach((IPv4Network("10.60.0.9/32"),), 8443)


@pytest.mark.parametrize("without", ["cluster", "edge"])
def test_where_no_pod_asks_vault_for_certificates_a_name_is_enough(without: str, write_project: WriteProject) -> None:
    document = changed(("cluster", KARPENTER), ("vault", {"address": "https://vault.corp:8200"}), (without, REMOVED))
    assert load_configuration(write_project(document), "dev").vault.networks == ()


def test_cert_manager_of_the_clusters_own_reaches_vault_without_palisade(write_project: WriteProject) -> None:
    cluster = {**KARPENTER, "cert_manager": "existing"}
    document = changed(("cluster", cluster), ("vault", {"address": "https://vault.corp:8200"}))
    assert load_configuration(write_project(document), "dev").vault.networks == ()


def test_existing_hosts_that_carry_the_load_are_accepted(write_project: WriteProject) -> None:
    cluster = load_configuration(write_project(enough_hosts(PODS, BALANCER)), "dev").cluster
    assert cluster is not None
    assert cluster.provisioner is Provisioner.EXISTING


def enough_hosts(*changes: tuple[str, Any]) -> dict[str, Any]:
    hosts = [{"name": f"registry-{number}", "group": "registry", "address": f"10.20.0.3{number}"} for number in (2, 3)]
    document = changed(("cluster", EXISTING), *changes)
    document["hosts"] += hosts
    return document


@pytest.mark.parametrize(("other", "missing"), [(BALANCER, "networks.pods"), (PODS, "edge.load_balancer")])
def test_existing_nodes_whose_firewall_would_drop_everything_are_refused(
    other: tuple[str, Any], missing: str, write_project: WriteProject
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(enough_hosts(other)), "dev")
    said = str(refused.value)
    assert "fleet.cluster.provisioner (line " in said
    assert f"there is no {missing}" in said
    assert "values are refused" not in said


def test_existing_nodes_without_an_edge_have_no_clients(write_project: WriteProject) -> None:
    assert load_configuration(write_project(enough_hosts(PODS, ("edge", REMOVED))), "dev").edge is None


def test_a_local_fleet_has_the_scale_that_is_listed(write_project: WriteProject) -> None:
    project = write_project(changed(("cluster", EXISTING), ("local", {})), environment="here")
    assert load_configuration(project, "here").cluster is not None


SHARES = st.builds(Share, millicpu=st.integers(0, 1_000), memory_mib=st.integers(0, 4_096))


@given(reserved=SHARES, daemonsets=SHARES)
def test_a_registry_pod_asks_for_all_that_a_node_has_left_and_a_second_one_never_fits(
    reserved: Share, daemonsets: Share
) -> None:
    cluster = Cluster(
        context="any",
        provisioner=Provisioner.EXISTING,
        zones=("a",),
        api_server=ApiServer(addresses=("10.0.0.1",)),
        node_reserved=reserved,
        daemonsets=daemonsets,
    )
    asked = registry_requests(cluster)
    for node, pod, kept, others in (
        (REGISTRY_NODE.millicpu, asked.millicpu, reserved.millicpu, daemonsets.millicpu),
        (REGISTRY_NODE.memory_mib, asked.memory_mib, reserved.memory_mib, daemonsets.memory_mib),
    ):
        assert kept + others + pod == node
        assert kept + others + 2 * pod > node
        assert 2 * pod >= node


@given(millicpu=st.integers(1, 10_000_000), memory_mib=st.integers(1, 100_000_000))
def test_quantities_are_what_kubernetes_reads_and_would_write_back(millicpu: int, memory_mib: int) -> None:
    written = Resources(millicpu, memory_mib).quantities()
    assert parse_quantity(written["cpu"]) * 1000 == millicpu
    assert parse_quantity(written["memory"]) == memory_mib * 2**20
    assert written["cpu"].endswith("m") is (millicpu % 1000 != 0)
    assert written["memory"].endswith("Mi") is (memory_mib % 1024 != 0)


def test_the_quantities_of_a_registry_node() -> None:
    assert REGISTRY_NODE.quantities() == {"cpu": "4", "memory": "16Gi"}
    assert REGISTRY_NODE.times(11).quantities() == {"cpu": "44", "memory": "176Gi"}
