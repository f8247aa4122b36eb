"""What a test's OpenBao server needs in order to sign certificates for pods: set up here, not by ``palisade vault``."""

from __future__ import annotations

from tests.openbao_server import OpenBao

_POLICY = 'path "pki/sign/workloads" { capabilities = ["create", "update"] }'


def sign_for_pods(
    vault: OpenBao, *, api_server: str, api_authority: str, reviewer: str, domain: str, identities: str
) -> None:
    """Sign requests of cert-manager, for names in a domain and for identities.

    Args:
        vault: Who signs.
        api_server: Who knows whether a token of a service account is valid.
        api_authority: Who has signed its certificate, PEM.
        reviewer: The token with which it is asked.
        domain: The only domain of names.
        identities: The pattern of SPIFFE identities.
    """
    vault.ask("POST", "sys/mounts/pki", type="pki", config={"max_lease_ttl": "720h"})
    vault.ask("POST", "pki/root/generate/internal", common_name="the authority of a test", ttl="720h", key_type="ec")
    vault.ask(
        "POST",
        "pki/roles/workloads",
        allowed_domains=[domain],
        allow_bare_domains=True,
        allow_subdomains=True,
        allow_ip_sans=True,
        allowed_uri_sans=[identities],
        key_type="any",
        max_ttl="24h",
    )
    vault.ask("PUT", "sys/policies/acl/cert-manager", policy=_POLICY)
    vault.ask("POST", "sys/auth/kubernetes", type="kubernetes")
    vault.ask(
        "POST",
        "auth/kubernetes/config",
        kubernetes_host=api_server,
        kubernetes_ca_cert=api_authority,
        token_reviewer_jwt=reviewer,
        disable_local_ca_jwt=True,
    )
    vault.ask(
        "POST",
        "auth/kubernetes/role/cert-manager",
        bound_service_account_names=["cert-manager"],
        bound_service_account_namespaces=["palisade-system"],
        audience="vault://palisade-vault",
        token_policies=["cert-manager"],
        token_ttl="10m",  # noqa: S106 - a time
    )
