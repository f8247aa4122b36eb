"""The certificate of the edge, from the stack's declaration to the key pair that Envoy reads."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import ISSUES, REGISTRY, ROOT, SYSTEM, Certificates
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from kubernetes.config import new_client_from_config
from kubernetes_provider.cluster import Cluster, Kind
from kubernetes_provider.objects import Target
from kubernetes_provider.waiting import NotReadyError, Patience, rule_of, wait_until_ready

from palisade.project import Project
from palisade.rendering.cert_manager import definitions_text
from tests.waiting import wait_until

ISSUER = "/apis/cert-manager.io/v1/clusterissuers/palisade-vault"
BEGINS_EARLY = timedelta(seconds=30)
"""What Vault allows for clocks that are behind, unless its role says otherwise."""
IDENTITY = "spiffe://palisade.local/ns/palisade-registry/sa/registry"


@pytest.fixture(scope="module")
def edge(certificates: Certificates) -> dict[str, bytes]:
    """The Secret of the edge, when the certificate is ready."""
    wait_until(lambda: certificates.is_ready(ISSUER), "the issuer is not ready")
    wait_until(lambda: certificates.is_ready(f"{ISSUES}/certificates/edge"), "the certificate is not ready")
    return certificates.pair("edge")


def names_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def newest_request(certificates: Certificates, name: str) -> dict[str, Any]:
    """The newest request for a certificate; empty while there is none."""
    items = certificates.get(f"{ISSUES}/certificaterequests")["items"]
    own = [one for one in items if one["metadata"]["annotations"].get("cert-manager.io/certificate-name") == name]
    return max(own, key=lambda one: one["metadata"]["creationTimestamp"], default={})


def refused_message(certificates: Certificates, name: str) -> str:
    """What is said about the newest request for a certificate while it is not fulfilled."""
    conditions = newest_request(certificates, name).get("status", {}).get("conditions", [])
    return next((one["message"] for one in conditions if one["type"] == "Ready" and one["status"] == "False"), "")


def test_the_edge_has_its_names_its_addresses_and_its_identity(edge: dict[str, bytes]) -> None:
    certificate = x509.load_pem_x509_certificate(edge["tls.crt"])
    assert names_of(certificate) == {"api.palisade.internal", "10.77.0.21", "10.77.0.22", IDENTITY}


def test_it_lives_for_a_day_and_vault_has_signed_it(edge: dict[str, bytes]) -> None:
    certificate = x509.load_pem_x509_certificate(edge["tls.crt"])
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert timedelta(hours=23, minutes=59) <= lifetime <= timedelta(hours=24) + BEGINS_EARLY
    authority = x509.load_pem_x509_certificate(edge["ca.crt"])
    certificate.verify_directly_issued_by(authority)
    assert "the authority of a test" in authority.subject.rfc4514_string()


def test_its_key_is_of_its_own_and_fits(edge: dict[str, bytes]) -> None:
    key = load_pem_private_key(edge["tls.key"], None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificate = x509.load_pem_x509_certificate(edge["tls.crt"])
    assert key.public_key() == certificate.public_key()


def test_it_is_renewed_after_half_of_its_time(certificates: Certificates, edge: dict[str, bytes]) -> None:
    status = certificates.get(f"{ISSUES}/certificates/edge")["status"]
    end = x509.load_pem_x509_certificate(edge["tls.crt"]).not_valid_after_utc
    renewal = datetime.fromisoformat(status["renewalTime"])
    assert end - renewal == timedelta(hours=12)


def test_a_renewed_certificate_has_another_number_and_another_key(certificates: Certificates) -> None:
    short = certificates.certificate("short", duration="1h0m0s", renewBefore="59m56s")
    assert certificates.apply(short) == ""
    first = wait_until(lambda: certificates.pair("short"), "there is no certificate")
    serial = x509.load_pem_x509_certificate(first["tls.crt"]).serial_number

    def renewed() -> dict[str, bytes] | None:
        pair = certificates.pair("short")
        return pair if x509.load_pem_x509_certificate(pair["tls.crt"]).serial_number != serial else None

    second = wait_until(renewed, "it is not renewed", 40)
    certificates.kubectl("delete", "certificate", "short", f"--namespace={REGISTRY}")
    assert second["tls.key"] != first["tls.key"]
    assert x509.load_pem_x509_certificate(second["tls.crt"]).not_valid_after_utc > datetime.now(UTC)


@pytest.mark.parametrize(
    ("name", "spec", "said"),
    [
        ("other-name", {"commonName": "bank.example", "dnsNames": ["bank.example"]}, "bank.example not allowed"),
        (
            "other-identity",
            {"uris": ["spiffe://palisade.local/ns/kube-system/sa/admin"]},
            "URI Subject Alternative Names",
        ),
    ],
)
def test_vault_refuses_what_its_role_does_not_allow(
    certificates: Certificates, edge: dict[str, bytes], name: str, spec: dict[str, Any], said: str
) -> None:
    assert edge
    assert certificates.apply(certificates.certificate(name, **spec)) == ""
    message = wait_until(lambda: refused_message(certificates, name), "nothing is said")
    assert "Vault failed to sign certificate" in message
    assert not certificates.pair(name)
    certificates.kubectl("delete", "certificate", name, f"--namespace={REGISTRY}")
    assert said in message


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"renewBefore": "24h0m0s"}, "spec.renewBefore: Invalid value"),
        ({"duration": "10m0s", "renewBefore": "5m0s"}, "certificate duration must be greater than 1h0m0s"),
        ({"secretName": ""}, "spec.secretName"),
    ],
)
def test_the_webhook_refuses_certificates_that_make_no_sense(
    certificates: Certificates, spec: dict[str, Any], said: str
) -> None:
    assert said in certificates.apply(certificates.certificate("senseless", **spec))


@pytest.mark.parametrize("kind", ["ClusterIssuer", "Issuer"])
@pytest.mark.parametrize("other", [{"selfSigned": {}}, {"ca": {"secretName": "edge"}}])
def test_no_issuer_but_vault_can_be_declared(certificates: Certificates, kind: str, other: dict[str, Any]) -> None:
    metadata = {"name": "other", **({"namespace": REGISTRY} if kind == "Issuer" else {})}
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": metadata, "spec": other}
    assert f'unknown field "{next(iter(other))}"' in certificates.apply(issuer)
    careless = certificates.kubectl("create", "--validate=ignore", "--filename=-", stdin=json.dumps(issuer))
    assert "spec.vault: Required value" in careless.stderr


SECRETS = {"resource": "secrets"}
TOKEN = {"verb": "create", "resource": "serviceaccounts", "subresource": "token", "namespace": SYSTEM}
APPROVE = {"verb": "approve", "group": "cert-manager.io", "resource": "signers"}
WRITE_HOOKS = {
    "verb": "update",
    "group": "admissionregistration.k8s.io",
    "resource": "validatingwebhookconfigurations",
}
RIGHTS: list[tuple[str, dict[str, str], bool]] = [
    ("cert-manager", {**SECRETS, "verb": "create", "namespace": REGISTRY}, True),
    ("cert-manager", {**SECRETS, "verb": "create", "namespace": "default"}, False),
    ("cert-manager", {**SECRETS, "verb": "update", "namespace": SYSTEM}, False),
    ("cert-manager", {**SECRETS, "verb": "get", "namespace": "kube-system"}, False),
    ("cert-manager", {**TOKEN, "name": "cert-manager"}, True),
    ("cert-manager", {**TOKEN, "name": "default"}, False),
    ("cert-manager", {**APPROVE, "name": "clusterissuers.cert-manager.io/palisade-vault"}, True),
    ("cert-manager", {**APPROVE, "name": "issuers.cert-manager.io/palisade-registry.other"}, False),
    ("cert-manager", {"verb": "update", "group": "cert-manager.io", "resource": "clusterissuers"}, False),
    ("cert-manager-webhook", {**SECRETS, "verb": "get", "namespace": SYSTEM, "name": "cert-manager-webhook-ca"}, True),
    ("cert-manager-webhook", {**SECRETS, "verb": "get", "namespace": REGISTRY, "name": "edge"}, False),
    ("cert-manager-cainjector", {**SECRETS, "verb": "list", "namespace": SYSTEM}, False),
    ("cert-manager-cainjector", {**WRITE_HOOKS, "name": "cert-manager-webhook"}, True),
    ("cert-manager-cainjector", {**WRITE_HOOKS, "name": "other"}, False),
]


@pytest.mark.parametrize(("account", "attributes", "allowed"), RIGHTS)
def test_each_program_may_do_what_it_needs_and_no_more(
    certificates: Certificates, account: str, attributes: dict[str, str], *, allowed: bool
) -> None:
    assert certificates.may(account, **attributes) is allowed


def test_while_vault_is_sealed_it_is_said_and_nothing_else_signs(
    certificates: Certificates, edge: dict[str, bytes]
) -> None:
    provider = Cluster(new_client_from_config(str(certificates.plane.kubeconfig)))

    def waiting_says(kind: str, namespace: str | None, name: str, path: str) -> str:
        target = Target(Kind("cert-manager.io/v1", kind), namespace, name)
        patience = Patience.of({}, 4, threading.Event(), lambda _: None)
        assert patience is not None
        rule = rule_of(target.kind, {"pulumi.com/waitFor": "condition=Ready"})
        assert rule is not None
        with pytest.raises(NotReadyError) as refused:
            wait_until_ready(provider, target, certificates.get(path), rule, patience)
        return "\n".join(refused.value.reasons)

    certificates.vault.seal()
    try:
        late = certificates.certificate("late")
        late["metadata"]["annotations"] = {"pulumi.com/waitFor": "condition=Ready"}
        assert certificates.apply(late) == ""
        wait_until(lambda: refused_message(certificates, "late"), "nothing is said")
        said = waiting_says("Certificate", REGISTRY, "late", f"{ISSUES}/certificates/late")
        assert "sealed" in said
        assert not certificates.pair("late").get("tls.crt")
        assert certificates.pair("edge") == edge
    finally:
        certificates.vault.unseal()
    wait_until(lambda: certificates.is_ready(f"{ISSUES}/certificates/late"), "it is not issued afterwards")


def test_the_kinds_are_those_of_the_pinned_module() -> None:
    kept = (ROOT / "stacks/data/cert_manager/definitions.yaml").read_text(encoding="utf-8")
    assert kept == definitions_text(Project(ROOT))
