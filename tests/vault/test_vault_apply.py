"""plan, apply and verify against a real server: everything is made once, and every drift is found and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hvac
import pytest
from conftest import session_in
from cryptography import x509
from vault_place import ENVIRONMENT, Place

from palisade.errors import PalisadeError
from palisade.vault.changes import Action, Change
from palisade.vault.planning import apply, make_plan

WRITING = {"create", "update", "delete", "patch"}


def planned(place: Place) -> tuple[Change, ...]:
    with session_in(place) as session:
        return make_plan(session.context, session.declared).changes


def applied(place: Place) -> tuple[Change, ...]:
    with session_in(place) as session:
        return apply(session.context, session.declared, lock=session.lock)


def written(place: Place) -> list[str]:
    """Every path that somebody has written to, from the server's own audit log."""
    entries = (json.loads(line) for line in place.server.audit_log.splitlines())
    return [one["request"]["path"] for one in entries if one["request"].get("operation") in WRITING]


def test_an_empty_server_gets_everything_and_then_nothing(empty: Place) -> None:
    before = planned(empty)
    assert {change.action for change in before} == {Action.CREATE, Action.UPDATE}
    assert not any(path.startswith(("sys/mounts", "secret", "pki")) for path in written(empty))
    made = applied(empty)
    assert {change.path for change in made} == {change.path for change in before}
    assert planned(empty) == ()
    so_far = len(written(empty))
    assert applied(empty) == ()
    assert len(written(empty)) == so_far, "an apply without differences writes nothing, not even its lock"


def test_the_plan_is_a_table_and_json(empty: Place) -> None:
    shown = empty.palisade("vault", "plan", ENVIRONMENT, COLUMNS="200")
    assert shown.returncode == 0, shown.stderr
    assert "create  pki/roles/workloads" in shown.stdout
    assert "max_ttl: 25h" in shown.stdout
    document = empty.json("vault", "plan", ENVIRONMENT, "--output", "json")
    role = next(change for change in document["changes"] if change["path"] == "pki/roles/workloads")
    assert role["action"] == "create"
    assert role["before"] == {}
    assert role["after"]["allowed_uri_sans"] == ["spiffe://palisade.here/ns/*/sa/*"]
    assert empty.palisade("vault", "verify", ENVIRONMENT).returncode == 1


def test_apply_writes_the_root_certificate_and_verify_agrees(place: Place) -> None:
    done = place.palisade("vault", "apply", ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    root = x509.load_pem_x509_certificate((place.vault_state / "root.crt").read_bytes())
    assert root.subject.rfc4514_string() == "CN=Palisade here root"
    assert root.subject == root.issuer
    verified = place.palisade("vault", "verify", ENVIRONMENT)
    assert (verified.returncode, verified.stdout) == (0, f"{place.server.address} is as declared.\n")


@dataclass(frozen=True)
class Drift:
    """What somebody does by hand, and what the plan says about it."""

    do: Callable[[hvac.Client], Any]
    path: str
    action: Action
    before: dict[str, Any]


def _write(path: str, **data: Any) -> Callable[[hvac.Client], Any]:
    return lambda client: client.write_data(path, data=data)


DRIFTS = {
    "a longer life": Drift(
        _write("pki/roles/workloads", max_ttl="8760h", allowed_domains="api.palisade.internal"),
        "pki/roles/workloads",
        Action.UPDATE,
        {"max_ttl": 31_536_000},
    ),
    "any name": Drift(
        _write("pki/roles/hosts", allow_any_name=True), "pki/roles/hosts", Action.UPDATE, {"allow_any_name": True}
    ),
    "a role that nobody declared": Drift(
        _write("pki/roles/backdoor", allow_any_name=True), "pki/roles/backdoor", Action.REMOVE, {"name": "backdoor"}
    ),
    "a wider policy": Drift(
        _write("sys/policies/acl/palisade-cert-manager", policy='path "*" { capabilities = ["sudo"] }'),
        "sys/policies/acl/palisade-cert-manager",
        Action.UPDATE,
        {"policy": 'path "*" { capabilities = ["sudo"] }'},
    ),
    "a policy with our prefix": Drift(
        _write("sys/policies/acl/palisade-extra", policy='path "*" { capabilities = ["sudo"] }'),
        "sys/policies/acl/palisade-extra",
        Action.REMOVE,
        {"name": "palisade-extra"},
    ),
    "a key that can be deleted": Drift(
        _write("transit/keys/audit-digest/config", deletion_allowed=True),
        "transit/keys/audit-digest",
        Action.UPDATE,
        {"deletion_allowed": True},
    ),
    "a host role with another policy": Drift(
        _write("auth/approle/role/database", token_policies=["palisade-operator"]),
        "auth/approle/role/database",
        Action.UPDATE,
        {"token_policies": ["palisade-operator"]},
    ),
    "a role of the API for the analyst": Drift(
        lambda client: client.write_data(
            "identity/group/name/compliance_officer",
            data={"member_entity_ids": [client.read("identity/entity/name/analyst")["data"]["id"]]},
        ),
        "identity/group/name/compliance_officer",
        Action.UPDATE,
        {},
    ),
    "another department": Drift(
        _write("identity/entity/name/analyst", metadata={"department": "finance"}),
        "identity/entity/name/analyst",
        Action.UPDATE,
        {"metadata": {"department": "finance"}},
    ),
    "tokens for everybody": Drift(
        _write("identity/oidc/key/api", allowed_client_ids=["*"]),
        "identity/oidc/key/api",
        Action.UPDATE,
        {"allowed_client_ids": ["*"]},
    ),
    "a person who is gone": Drift(
        lambda client: client.delete("auth/people/users/analyst"), "auth/people/users/analyst", Action.CREATE, {}
    ),
    "an engine that may sign for longer": Drift(
        _write("sys/mounts/pki/tune", max_lease_ttl="87600h"),
        "sys/mounts/pki",
        Action.UPDATE,
        {"max_lease_ttl": 315_360_000},
    ),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_a_drift_is_found_and_only_it_is_taken_back(drift: Drift, place: Place) -> None:
    drift.do(place.server.client())
    (found,) = planned(place)
    assert (found.path, found.action) == (drift.path, drift.action)
    assert drift.before.items() <= found.before.items()
    so_far = len(written(place))
    (made,) = applied(place)
    assert made.path == drift.path
    touched = {path for path in written(place)[so_far:] if path != "secret/data/palisade/lock"}
    assert {path.removesuffix("/tune").removesuffix("/config") for path in touched} == {drift.path}
    assert planned(place) == ()


def test_another_secret_value_stays(place: Place) -> None:
    client = place.server.client()
    mine = {"username": "registry", "password": "chosen-by-an-operator"}
    client.write_data("secret/data/registry-database", data={"data": mine})
    assert planned(place) == ()
    client.write_data("secret/data/registry-database", data={"data": {"password": "chosen-by-an-operator"}})
    (found,) = planned(place)
    assert (found.before, found.after) == ({"username": "(missing)"}, {"username": "(secret)"})
    applied(place)
    assert client.read("secret/data/registry-database")["data"]["data"] == mine


def test_a_secret_that_was_deleted_is_made_anew(place: Place) -> None:
    client = place.server.client()
    before = client.read("secret/data/redis-registry")["data"]["data"]
    client.delete("secret/data/redis-registry")
    (found,) = planned(place)
    assert (found.path, found.action) == ("secret/data/redis-registry", Action.CREATE)
    applied(place)
    after = client.read("secret/data/redis-registry")["data"]["data"]
    assert set(after) == set(before)
    assert all(after[user] != before[user] for user in before)


def test_no_secret_is_shown(empty: Place) -> None:
    shown = [empty.palisade("vault", command, ENVIRONMENT) for command in ("plan", "apply", "plan")]
    stored = empty.server.client().read("secret/data/registry-database")["data"]["data"]["password"]
    assert len(stored) == 40
    assert not any(stored in one.stdout + one.stderr for one in shown)
    assert stored not in empty.server.audit_log
    assert empty.json("secrets", "show", ENVIRONMENT, "registry-database") == {
        "password": stored,
        "username": "registry",
    }


def test_an_intermediate_of_another_root_is_signed_anew(empty: Place) -> None:
    applied(empty)
    client = empty.server.client()
    client.delete("pki-root/root")
    client.write_data(
        "pki-root/root/generate/internal", data={"common_name": "Palisade here root", "max_path_length": 1}
    )
    changes = {change.path: change for change in planned(empty)}
    assert set(changes) == {"pki"}
    assert changes["pki"].reason == "a new one is signed"
    applied(empty)
    assert planned(empty) == ()


REFUSALS = {
    "a key that was made exportable": (
        _write("transit/keys/evidence-signing/config", exportable=True),
        "transit/keys/evidence-signing: Vault never changes this about a key (exportable): "
        "name a new key in vault.keys",
    ),
    "a foreign root": (
        lambda client: (
            client.delete("pki-root/root"),
            client.write_data("pki-root/root/generate/internal", data={"common_name": "somebody else"}),
        ),
        "pki-root: a root is never replaced by itself: every client would have to trust the new one first",
    ),
    "another engine": (
        lambda client: (
            client.delete("sys/mounts/transit"),
            client.write_data("sys/mounts/transit", data={"type": "kv"}),
        ),
        "sys/mounts/transit: something else is mounted there: choose another path in vault.mounts, or move it (type)",
    ),
}


@pytest.mark.parametrize(("do", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_what_would_destroy_something_is_refused_before_anything_changes(
    do: Callable[[hvac.Client], Any], reason: str, empty: Place
) -> None:
    applied(empty)
    client = empty.server.client()
    do(client)
    client.write_data("pki/roles/hosts", data={"allow_any_name": True})
    with pytest.raises(PalisadeError) as refused:
        applied(empty)
    assert f"  {reason}" in refused.value.problem.splitlines()
    assert client.read("pki/roles/hosts")["data"]["allow_any_name"] is True
