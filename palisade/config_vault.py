"""The section of the fleet configuration about Vault (or OpenBao): where it is and what its parts are called."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Annotated

from pydantic import model_validator

from palisade.config_cluster import ObjectName
from palisade.config_values import ServerNetwork, matches
from palisade.validation import Allowed, Problem, Section, refuse

PORT = 8200
"""Where the Vault of the group vault listens."""
AUDIENCE = "palisade-api"
"""Whom the identity tokens of Vault are for."""

VaultAddress = Annotated[
    str,
    matches(
        r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?",
        "https://NAME:PORT without a path",
        remedy="give Vault a certificate; Palisade sends no token without TLS",
    ),
]
CertificateFile = Annotated[
    Path,
    Allowed(
        "the path of a PEM file, absolute or from the home directory (~/vault-ca.crt)",
        types=(str,),
        test=lambda path: str(path).startswith(("/", "~/")),
    ),
]
MountPath = Annotated[str, matches(r"[a-z][a-z0-9-]{0,62}", "lower-case letters, digits and -, a letter first")]
PartName = Annotated[str, matches(r"[a-z][a-z0-9-]{0,62}", "lower-case letters, digits and -, a letter first")]
DomainName = Annotated[
    str, matches(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,62}", "a DNS name without wildcard")
]
ApiServerUrl = Annotated[str, matches(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?", "https://NAME:PORT without a path")]
Binding = Annotated[bool, Allowed("true or false", types=(bool,))]


class VaultMounts(Section):
    """Where secrets engines and auth methods are mounted."""

    pki_root: MountPath = "pki-root"
    """The PKI engine of the root authority, which signs nothing but the other one."""
    pki: MountPath = "pki"
    """The PKI engine of the intermediate authority, which signs every certificate."""
    transit: MountPath = "transit"
    """The Transit engine, whose keys sign and never leave it."""
    secrets: MountPath = "secret"
    """The KV engine, version 2."""
    kubernetes: MountPath = "kubernetes"
    """The auth method by which pods log in."""
    approle: MountPath = "approle"
    """The auth method by which hosts log in."""
    people: MountPath = "people"
    """The auth method by which the people of a local fleet log in."""

    @model_validator(mode="after")
    def _each_at_a_path_of_its_own(self) -> VaultMounts:
        for names in (("pki_root", "pki", "transit", "secrets"), ("kubernetes", "approle", "people")):
            refuse(
                Problem((later,), f"{path} is already the path of {earlier}.", "a path of its own")
                for earlier, later in combinations(names, 2)
                if (path := getattr(self, later)) == getattr(self, earlier)
            )
        return self


class VaultRoles(Section):
    """The names of roles."""

    workloads: PartName = "workloads"
    """The PKI role for pods."""
    hosts: PartName = "hosts"
    """The PKI role for hosts."""
    edge: PartName = "edge"
    """The PKI role for registry hosts without Kubernetes, whose certificate has the names of the edge."""
    cert_manager: PartName = "cert-manager"
    """The Kubernetes auth role of cert-manager."""
    tokens: PartName = "api"
    """The OIDC key and role that identity tokens are made with."""


class VaultKeys(Section):
    """The names of Transit keys."""

    bundle_signing: PartName = "bundle-signing"
    """Signs policy bundles (RSA, 3072 bits)."""
    evidence_signing: PartName = "evidence-signing"
    """Signs evidence (Ed25519)."""
    audit_digest: PartName = "audit-digest"
    """Signs digests of the audit trail (Ed25519)."""


class CertManagerAccount(Section):
    """The service account that may log in as cert-manager."""

    namespace: ObjectName = "palisade-system"
    """The namespace that it is in."""
    name: ObjectName = "cert-manager"
    """What it is called there."""
    audience: Annotated[str, matches(r"\S{1,253}", "an audience without blanks")] = "vault://palisade-vault"
    """The audience of its tokens; cert-manager uses vault:// and the name of the ClusterIssuer."""


class Vault(Section):
    """Vault or OpenBao: that of the group vault, or another one by its address."""

    address: VaultAddress | None = None
    """Its URL. Default: the first host of the group vault, port 8200."""
    networks: tuple[ServerNetwork, ...] = ()
    """The addresses behind the name in that URL: cert-manager may connect there. Default: the hosts of the group."""
    ca_file: CertificateFile | None = None
    """Who signed its certificate. Default: ca.crt of the listed host (docs/vault-host.md), else whom machines trust."""
    kubernetes_address: ApiServerUrl | None = None
    """The API server as Vault reaches it. Default: the one that the kubeconfig names."""
    domain: DomainName = "palisade.internal"
    """Hosts get certificates for their names, alone and in this domain."""
    bind_to_addresses: Binding = True
    """Whether a host's secret id and token work from its own address only; false behind a NAT."""
    mounts: VaultMounts = VaultMounts()
    """Where engines and auth methods are mounted."""
    roles: VaultRoles = VaultRoles()
    """What roles are called."""
    keys: VaultKeys = VaultKeys()
    """What Transit keys are called."""
    cert_manager: CertManagerAccount = CertManagerAccount()
    """Which service account logs in as cert-manager."""
