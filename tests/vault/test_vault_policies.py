"""Every policy of Palisade against every kind of request: what is listed is allowed, everything else is denied."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from vault_place import Place

DENIED = 403


@dataclass(frozen=True)
class Probe:
    """A request that changes nothing that is declared where it is allowed."""

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)


INPUT = {"input": base64.b64encode(b"x").decode()}
INVALID = {"ttl": "no duration", "token_ttl": "no duration", "min_decryption_version": "no number"}
"""A server that lets it through answers with 400."""
PROBES = {
    "sign for a pod": Probe("POST", "pki/sign/workloads"),
    "issue for a pod": Probe("POST", "pki/issue/workloads", {"ttl": "no duration"}),
    "issue for a host": Probe("POST", "pki/issue/hosts", {"common_name": "db-1"}),
    "issue for the edge": Probe("POST", "pki/issue/edge", {"common_name": "registry-1"}),
    "sign for the edge": Probe("POST", "pki/sign/edge"),
    "sign for a host": Probe("POST", "pki/sign/hosts"),
    "sign anything": Probe("POST", "pki/sign-verbatim"),
    "change a role": Probe("POST", "pki/roles/workloads", INVALID),
    "read a role": Probe("GET", "pki/roles/workloads"),
    "sign an authority": Probe("POST", "pki-root/root/sign-intermediate"),
    "sign a bundle": Probe("POST", "transit/sign/bundle-signing/sha2-256", INPUT),
    "sign evidence": Probe("POST", "transit/sign/evidence-signing", INPUT),
    "sign a digest": Probe("POST", "transit/sign/audit-digest", INPUT),
    "public key of bundles": Probe("GET", "transit/keys/bundle-signing"),
    "public key of evidence": Probe("GET", "transit/keys/evidence-signing"),
    "public key of digests": Probe("GET", "transit/keys/audit-digest"),
    "change a key": Probe("POST", "transit/keys/audit-digest/config", INVALID),
    "export a key": Probe("GET", "transit/export/signing-key/audit-digest"),
    "backup a key": Probe("GET", "transit/backup/audit-digest"),
    "database password": Probe("GET", "secret/data/registry-database"),
    "redis password": Probe("GET", "secret/data/redis-registry"),
    "password of a person": Probe("GET", "secret/data/person-analyst"),
    "change a password": Probe("POST", "secret/data/registry-database"),
    "names of values": Probe("GET", "secret/subkeys/registry-database"),
    "secret id of a host": Probe("POST", "auth/approle/role/database/secret-id", {"cidr_list": "nowhere"}),
    "host role": Probe("GET", "auth/approle/role/database"),
    "change a host role": Probe("POST", "auth/approle/role/database", {"token_ttl": "1h"}),
    **{
        f"give a host role another policy: {way}": Probe("POST", f"auth/approle/role/{path}", body)
        for way, path, body in (
            ("instead", "database", {"token_policies": ["admins"]}),
            ("beside", "database", {"token_policies": ["palisade-host-database", "admins"]}),
            ("as a text", "database", {"token_policies": "palisade-host-database,admins"}),
            ("in upper case", "database", {"TOKEN_POLICIES": ["admins"]}),
            ("by the old name", "database", {"policies": ["admins"]}),
            ("of another host", "database", {"token_policies": ["palisade-host-bastion"]}),
            ("by its own path", "database/policies", {"token_policies": ["admins"]}),
            ("in a role of its own", "another", {"token_policies": ["admins"]}),
        )
    },
    "write a host role as it is declared": Probe(
        "POST", "auth/approle/role/database", {"token_policies": ["palisade-host-database"]}
    ),
    "pods log in with another type": Probe("POST", "sys/auth/kubernetes", {"type": "userpass"}),
    "change a person": Probe("POST", "auth/people/users/analyst", {"token_ttl": "10m"}),
    "read a person": Probe("GET", "auth/people/users/analyst"),
    "identity token": Probe("GET", "identity/oidc/token/api"),
    "token of another role": Probe("GET", "identity/oidc/token/another"),
    "read the claims": Probe("GET", "identity/oidc/role/api"),
    "read the OIDC key": Probe("GET", "identity/oidc/key/api"),
    "names of secrets": Probe("LIST", "secret/metadata"),
    "another secret": Probe("GET", "secret/data/another"),
    "another Transit key": Probe("GET", "transit/keys/another"),
    "change the claims": Probe("POST", "identity/oidc/role/api", {"ttl": "1h"}),
    "read an entity": Probe("GET", "identity/entity/name/analyst"),
    "read a policy": Probe("GET", "sys/policies/acl/palisade-operator"),
    "write a policy of ours": Probe("POST", "sys/policies/acl/palisade-probe"),
    "write another policy": Probe("POST", "sys/policies/acl/probe"),
    "mounts": Probe("GET", "sys/mounts"),
    "mount another engine": Probe("POST", "sys/mounts/probe", {"type": "no engine"}),
    "another auth method": Probe("POST", "sys/auth/probe", {"type": "no method"}),
    "audit devices": Probe("GET", "sys/audit"),
    "make a token": Probe("POST", "auth/token/create", {"ttl": "no duration"}),
    "look at another token": Probe("POST", "auth/token/lookup", {"token": "none"}),
    "step down": Probe("GET", "sys/raw/core"),
    "take a snapshot": Probe("GET", "sys/storage/raft/snapshot"),
    "put a snapshot back": Probe("POST", "sys/storage/raft/snapshot"),
    "put back that of another seal": Probe("POST", "sys/storage/raft/snapshot-force"),
}
_READS = {
    "read the claims",
    "read the OIDC key",
    "another Transit key",
    "read a role",
    "public key of bundles",
    "public key of evidence",
    "public key of digests",
    "names of values",
    "host role",
    "read a person",
    "read an entity",
    "read a policy",
    "mounts",
    "audit devices",
}
ALLOWED: dict[str, set[str]] = {
    "palisade-cert-manager": {"sign for a pod"},
    "palisade-host-database": {"issue for a host", "sign for a host"},
    "palisade-host-registry": {"issue for a host", "sign for a host", "issue for the edge", "sign for the edge"},
    "palisade-host-bastion": {"issue for a host", "sign for a host"},
    "palisade-bundle-signer": {"sign a bundle", "public key of bundles"},
    "palisade-evidence-signer": {"sign evidence", "public key of evidence"},
    "palisade-audit-sealer": {"sign a digest", "public key of digests"},
    "palisade-secrets-reader": {"database password", "redis password"},
    "palisade-backup": {"take a snapshot"},
    "palisade-person": {"identity token"},
    "palisade-verifier": _READS,
    "palisade-operator": _READS
    | {
        "names of secrets",
        "another secret",
        "sign for a pod",
        "issue for a pod",
        "issue for a host",
        "sign for a host",
        "issue for the edge",
        "sign for the edge",
        "sign anything",
        "change a role",
        "sign an authority",
        "change a key",
        "database password",
        "redis password",
        "password of a person",
        "change a password",
        "secret id of a host",
        "change a host role",
        "write a host role as it is declared",
        "change a person",
        "change the claims",
    },
}


def test_every_policy_is_in_the_table(place: Place) -> None:
    there = place.server.client().list("sys/policies/acl")["data"]["keys"]
    assert sorted(name for name in there if name.startswith("palisade-")) == sorted(ALLOWED)


@pytest.fixture(scope="module")
def tokens(place: Place) -> dict[str, str]:
    """A token for each policy, and for it alone."""
    return {policy: place.server.new_token(policy) for policy in ALLOWED}


@pytest.mark.parametrize("policy", ALLOWED)
def test_a_policy_allows_what_is_listed_and_nothing_else(policy: str, place: Place, tokens: dict[str, str]) -> None:
    with requests.Session() as session:
        session.verify = str(place.server.authority)
        session.trust_env = False  # a variable that names other authorities wins over `verify`
        session.headers["X-Vault-Token"] = tokens[policy]
        answered = {
            name: session.request(probe.method, f"{place.server.address}/v1/{probe.path}", json=probe.body).status_code
            for name, probe in PROBES.items()
        }
    assert {name for name, status in answered.items() if status != DENIED} == ALLOWED[policy]
