"""Certificates: Vault signs, cert-manager asks; installed with few rights, or there already."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from stacks_program import graph_of, of_kind, run_program, shipped_fleet

from palisade.policies.pack import CHECKS, refusals
from palisade.policies.rules import load_rules
from palisade.policies.settings import PolicySettings
from palisade.project import Project
from palisade.rendering.graph import Graph
from palisade.tools.catalogue import load_catalogue
from stacks.cert_manager import definitions
from stacks.tables import DATA
from tests.local_state import AUTHORITY, DIGEST

PROGRAMS = {"cert-manager", "cert-manager-cainjector", "cert-manager-webhook"}
IMAGE = f"registry.example/palisade/cert-manager@{DIGEST}"
CERT_MANAGER_KINDS = ("CustomResourceDefinition", "Deployment", "Role", "Service", "ValidatingWebhookConfiguration")


@pytest.fixture(scope="module")
def local() -> Graph:
    return graph_of("local")


@pytest.fixture(scope="module")
def existing() -> Graph:
    return graph_of("prod")


@pytest.fixture(scope="module")
def installed() -> Graph:
    """An environment of listed machines that has cert-manager installed."""
    fleet = shipped_fleet("prod")
    fleet["images"] = {**fleet["images"], "cert-manager": IMAGE}
    fleet["cluster"] = {**fleet["cluster"], "cert_manager": "install"}
    return run_program("prod", fleet)


def spec_of(graph: Graph, kind: str, name: str) -> Any:
    return of_kind(graph, kind)[name].inputs["spec"]


def test_cert_manager_is_installed_with_three_programs_of_one_pinned_image(local: Graph, installed: Graph) -> None:
    images = {"local": f"registry.palisade.internal/palisade/cert-manager@{DIGEST}", "prod": IMAGE}
    for graph, image in ((local, images["local"]), (installed, images["prod"])):
        deployments = of_kind(graph, "Deployment")
        assert set(deployments) >= PROGRAMS
        for name in PROGRAMS:
            (container,) = deployments[name].inputs["spec"]["template"]["spec"]["containers"]
            assert container["image"] == image


def test_an_environment_that_has_cert_manager_gets_an_issuer_and_a_certificate_only(existing: Graph) -> None:
    assert not PROGRAMS & set(of_kind(existing, "Deployment"))
    assert not any(name.endswith(".cert-manager.io") for name in of_kind(existing, "CustomResourceDefinition"))
    assert not of_kind(existing, "ValidatingWebhookConfiguration")
    assert set(of_kind(existing, "ClusterIssuer")) == {"palisade-vault"}
    assert set(of_kind(existing, "Certificate")) == {"edge"}


def test_an_image_that_nobody_has_pinned_is_refused() -> None:
    fleet = shipped_fleet("prod")
    fleet["images"] = {name: image for name, image in fleet["images"].items() if name != "cert-manager"}
    fleet["cluster"] = {**fleet["cluster"], "cert_manager": "install"}
    with pytest.raises(pulumi.RunError, match="palisade images pin prod"):
        run_program("prod", fleet)


def test_a_local_fleet_without_the_certificate_of_its_vault_is_refused(
    tmp_path: Path, local_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Path("palisade/fleets/local")
    (tmp_path / fleet).mkdir(parents=True)
    (tmp_path / fleet / "images").symlink_to(local_state / fleet / "images")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(pulumi.RunError, match=r"Vault is checked with is not there"):
        run_program("local", shipped_fleet("local"))


def test_a_listed_vault_is_checked_with_the_authority_that_its_role_gives_it(existing: Graph) -> None:
    vault = spec_of(existing, "ClusterIssuer", "palisade-vault")["vault"]
    assert vault["server"] == "https://10.40.0.61:8200"
    assert base64.b64decode(vault["caBundle"]).decode() == AUTHORITY


def test_a_listed_vault_whose_authority_nobody_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(pulumi.RunError) as refused:
        run_program("prod", shipped_fleet("prod"))
    said = str(refused.value)
    assert f"where: {tmp_path}/palisade/fleets/prod/vault/hosts/vault-1/ca.crt" in said
    assert "what to do: put it there (docs/vault-host.md), or name it in vault.ca_file" in said


def test_a_vault_elsewhere_is_trusted_as_the_image_of_cert_manager_does_it() -> None:
    fleet = shipped_fleet("prod", vault={"address": "https://10.60.0.8:8200"})
    assert "caBundle" not in spec_of(run_program("prod", fleet), "ClusterIssuer", "palisade-vault")["vault"]


def test_without_names_of_the_edge_nothing_asks_for_certificates() -> None:
    fleet = shipped_fleet("local")
    del fleet["edge"]
    graph = run_program("local", fleet)
    assert not of_kind(graph, "ClusterIssuer")
    assert not PROGRAMS & set(of_kind(graph, "Deployment"))


def test_the_issuer_is_vault_and_is_checked_with_its_own_authority(local: Graph) -> None:
    vault = spec_of(local, "ClusterIssuer", "palisade-vault")["vault"]
    assert base64.b64decode(vault.pop("caBundle")).decode() == AUTHORITY
    assert vault == {
        "server": "https://10.77.0.41:8200",
        "path": "pki/sign/workloads",
        "auth": {
            "kubernetes": {
                "mountPath": "/v1/auth/kubernetes",
                "role": "cert-manager",
                "serviceAccountRef": {"name": "cert-manager"},
            }
        },
    }


def test_the_certificate_of_the_edge_lives_for_hours_and_has_a_new_key_each_time(local: Graph) -> None:
    spec = spec_of(local, "Certificate", "edge")
    assert spec["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "palisade-vault"}
    assert (spec["duration"], spec["renewBefore"], spec["secretName"]) == ("24h0m0s", "12h0m0s", "edge")
    assert spec["privateKey"]["rotationPolicy"] == "Always"
    assert (spec["commonName"], spec["dnsNames"]) == ("api.palisade.internal", ["api.palisade.internal"])
    assert spec["ipAddresses"] == ["10.77.0.21", "10.77.0.22"]
    assert spec["uris"] == ["spiffe://palisade.local/ns/palisade-registry/sa/registry"]
    assert spec["usages"] == ["digital signature", "server auth", "client auth"]


def test_a_certificate_has_no_addresses_unless_they_are_named(existing: Graph) -> None:
    assert "ipAddresses" not in spec_of(existing, "Certificate", "edge")
    fleet = shipped_fleet("prod", edge={"names": ["api.palisade.example"], "addresses": ["10.40.0.100"]})
    assert spec_of(run_program("prod", fleet), "Certificate", "edge")["ipAddresses"] == ["10.40.0.100"]


@pytest.mark.parametrize(("kind", "name"), [("ClusterIssuer", "palisade-vault"), ("Certificate", "edge")])
def test_both_are_waited_for_until_they_are_ready(local: Graph, kind: str, name: str) -> None:
    annotations = of_kind(local, kind)[name].inputs["metadata"]["annotations"]
    assert annotations["pulumi.com/waitFor"] == "condition=Ready"
    assert int(annotations["pulumi.com/timeoutSeconds"]) <= 300


def test_certificates_come_after_what_makes_them(local: Graph) -> None:
    issuer, certificate = of_kind(local, "ClusterIssuer")["palisade-vault"], of_kind(local, "Certificate")["edge"]
    for program in PROGRAMS:
        assert any(urn.endswith(f"Deployment::{program}") for urn in issuer.dependencies), program
    assert any(urn.endswith("::palisade-vault") for urn in certificate.dependencies)


def test_the_webhook_is_declared_before_the_program_that_waits_until_it_is_trusted(local: Graph) -> None:
    injector = of_kind(local, "Deployment")["cert-manager-cainjector"]
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        (declared,) = of_kind(local, kind).values()
        (webhook,) = declared.inputs["webhooks"]
        assert (webhook["failurePolicy"], webhook["sideEffects"]) == ("Fail", "None")
        assert any(f"{kind}::" in urn for urn in injector.dependencies)


def test_an_issuer_can_only_be_vault() -> None:
    for declared in definitions():
        for version in declared["spec"]["versions"]:
            spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            if declared["spec"]["names"]["kind"] in {"Issuer", "ClusterIssuer"}:
                assert (list(spec["properties"]), spec["required"]) == (["vault"], ["vault"])


def test_the_kinds_say_from_which_version_they_are() -> None:
    pin = load_catalogue(Project(Path(__file__).resolve().parents[2])).programs["cert-manager"].module.version
    text = (DATA / "cert_manager/definitions.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# The kinds of cert-manager {pin},")


def test_no_program_may_write_secrets_in_the_whole_cluster(local: Graph) -> None:
    for name, role in of_kind(local, "ClusterRole").items():
        for rule in role.inputs["rules"]:
            assert "*" not in [*rule.get("resources", ()), *rule.get("verbs", ()), *rule.get("apiGroups", ())], name
            if "secrets" in rule.get("resources", ()):
                assert (name, rule["verbs"]) == ("palisade-cert-manager", ["list", "watch"])


def test_what_is_installed_breaks_no_rule(local: Graph, installed: Graph) -> None:
    for graph, settings in ((local, PolicySettings(local=True)), (installed, PolicySettings(local=False))):
        for each in graph.objects:
            for rule_id, rule in load_rules().items():
                if rule_id in CHECKS and each.inputs["kind"] in {"Deployment", "Service"}:
                    assert list(refusals(rule, each.type, each.inputs, settings)) == []


def test_only_in_a_local_fleet_the_programs_run_on_registry_nodes(local: Graph, installed: Graph) -> None:
    for name in PROGRAMS:
        assert spec_of(local, "Deployment", name)["template"]["spec"]["tolerations"]
        assert "tolerations" not in spec_of(installed, "Deployment", name)["template"]["spec"]


def test_vault_is_reached_by_cert_manager_and_by_nobody_else(local: Graph) -> None:
    policies = of_kind(local, "NetworkPolicy")
    to_vault = {
        name: policy.inputs["spec"]
        for name, policy in policies.items()
        if "10.77.0.41/32" in yaml.safe_dump(dict(policy.inputs)) and name.startswith("palisade-system/")
    }
    (spec,) = to_vault.values()
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "cert-manager"}}
    assert spec["egress"][0]["ports"] == [{"protocol": "TCP", "port": 8200}]


def test_a_rule_about_a_network_without_addresses_is_left_out_and_never_open() -> None:
    fleet = shipped_fleet("prod")
    fleet["hosts"] = [host for host in fleet["hosts"] if host["group"] != "vault"]
    fleet["tokens"] = {"issuer": "https://login.example.com", "jwks_uri": "https://10.60.0.9/keys"}
    names = set(of_kind(run_program("prod", fleet), "NetworkPolicy"))
    assert "palisade-system/certificates-egress" not in names
