"""How hosts log in for the first time, and what the identity tokens of people say."""

from __future__ import annotations

import base64
import json
from typing import Any

import hvac.exceptions
import pytest
import requests
from conftest import session_in
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from vault_place import ENVIRONMENT, Place

from palisade.errors import PalisadeError
from palisade.vault.enrolment import enrol
from palisade.vault.people import identity_token


def test_a_wrapped_secret_id_is_read_once(place: Place) -> None:
    given = place.json("vault", "enroll", ENVIRONMENT, "db-1")
    assert sorted(given) == ["address", "ca", "role_id", "wrapping_token"]
    assert given["address"] == place.server.address
    assert given["ca"] == place.server.authority.read_text(encoding="utf-8")
    stranger = place.server.client(given["wrapping_token"])
    secret_id = stranger.sys.unwrap()["data"]["secret_id"]
    assert secret_id
    with pytest.raises(hvac.exceptions.InvalidRequest, match="wrapping token is not valid or does not exist"):
        place.server.client(given["wrapping_token"]).sys.unwrap()


def test_a_secret_id_works_from_the_address_of_its_host_only(place: Place) -> None:
    given = place.json("vault", "enroll", ENVIRONMENT, "db-1")
    secret_id = place.server.client(given["wrapping_token"]).sys.unwrap()["data"]["secret_id"]
    with pytest.raises(hvac.exceptions.VaultError) as refused:
        place.server.client("").auth.approle.login(given["role_id"], secret_id)
    assert "127.0.0.1" in str(refused.value)


def test_behind_a_nat_a_host_logs_in_and_gets_its_certificate_and_nothing_else(place: Place) -> None:
    place.write(vault={"address": place.server.address, "bind_to_addresses": False})
    try:
        with session_in(place) as session:
            given = enrol(session.vault, session.configuration, "db-1")
    finally:
        place.write()
    secret_id = place.server.client(given.wrapping_token).sys.unwrap()["data"]["secret_id"]
    host = place.server.client("")
    logged_in = host.auth.approle.login(given.role_id, secret_id)["auth"]
    assert sorted(logged_in["policies"]) == ["default", "palisade-host-database"]
    assert logged_in["metadata"] == {"environment": "here", "host": "db-1", "role_name": "database"}
    assert host.write_data("pki/issue/hosts", data={"common_name": "db-1"})["data"]["certificate"]
    with pytest.raises(hvac.exceptions.Forbidden):
        host.read("secret/data/registry-database")


def test_an_unknown_host_is_refused(place: Place) -> None:
    refused = place.palisade("vault", "enroll", ENVIRONMENT, "bd-1")
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "error: here has no host bd-1.",
        "allowed: bastion-1, registry-1, db-1",
        "what to do: did you mean db-1?",
    ]


def test_a_host_before_the_first_apply_is_told_what_to_do(empty: Place) -> None:
    with session_in(empty) as session, pytest.raises(PalisadeError) as refused:
        enrol(session.vault, session.configuration, "db-1")
    assert str(refused.value).splitlines() == [
        "error: Vault has no role for the hosts of the group database.",
        f"where: {empty.server.address}/v1/auth/approle/role/database",
        "what to do: palisade vault apply here",
    ]


CLAIMS = {
    "analyst": {"roles": ["analyst"], "department": "research"},
    "compliance-officer": {"roles": ["compliance_officer"], "department": "finance"},
    "registry-admin": {"roles": ["registry_admin"], "department": "platform"},
}


@pytest.mark.parametrize("person", CLAIMS)
def test_a_token_says_who_somebody_is_and_everybody_can_check_it(person: str, place: Place) -> None:
    with session_in(place) as session:
        token = identity_token(session.vault, session.configuration, person)
    keys = requests.get(
        f"{place.server.address}/v1/identity/oidc/.well-known/keys", verify=str(place.server.authority), timeout=10
    ).json()["keys"]
    header, claims = checked(token, keys)
    assert header["alg"] == "RS256"
    assert claims["iss"] == f"{place.server.address}/v1/identity/oidc"
    assert claims["aud"] == "palisade-api"
    assert claims["exp"] - claims["iat"] == 3600
    assert {name: claims[name] for name in ("roles", "department")} == CLAIMS[person]


def checked(token: str, keys: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token whose signature is right."""

    def decoded(part: str) -> bytes:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

    header_text, claims_text, signature = token.split(".")
    header = json.loads(decoded(header_text))
    key = next(one for one in keys if one["kid"] == header["kid"])
    numbers = (int.from_bytes(decoded(key[name]), "big") for name in ("e", "n"))
    rsa.RSAPublicNumbers(*numbers).public_key().verify(
        decoded(signature), f"{header_text}.{claims_text}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    return header, json.loads(decoded(claims_text))


def test_an_unknown_person_is_refused(place: Place) -> None:
    refused = place.palisade("vault", "token", ENVIRONMENT, "--person", "analist")
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "error: There is no person 'analist'.",
        f"where: {place.server.address}/v1/auth/people/users",
        "allowed: analyst, compliance-officer, registry-admin",
        "what to do: did you mean analyst?",
    ]
