"""Whoever has the policy of an operator or a verifier needs no root token."""

from __future__ import annotations

import pytest
from conftest import session_in
from vault_place import Place

from palisade.errors import PalisadeError
from palisade.vault.enrolment import enrol
from palisade.vault.people import identity_token
from palisade.vault.planning import apply, make_plan
from palisade.vault.secrets import show


@pytest.fixture
def as_policy(place: Place) -> Place:
    """The root token of the fleet is put back at the end."""
    yield place
    place.write()


def use(place: Place, policy: str) -> None:
    (place.vault_state / "root-token").write_text(place.server.new_token(policy), encoding="utf-8")


def test_a_verifier_sees_every_difference_and_changes_nothing(as_policy: Place) -> None:
    use(as_policy, "palisade-verifier")
    with session_in(as_policy) as session:
        assert make_plan(session.context, session.declared).changes == ()
        as_policy.server.client().write_data("pki/roles/hosts", data={"allow_any_name": True})
        (found,) = make_plan(session.context, session.declared).changes
        assert found.path == "pki/roles/hosts"
        with pytest.raises(PalisadeError) as refused:
            apply(session.context, session.declared, lock=session.lock)
        assert refused.value.problem == "The token may not do this."
        with pytest.raises(PalisadeError, match="The token may not do this"):
            show(session, "registry-database")


def test_an_operator_repairs_enrols_and_reads_secrets(as_policy: Place) -> None:
    client = as_policy.server.client()
    use(as_policy, "palisade-operator")
    client.delete("pki/roles/hosts")
    client.write_data("sys/policies/acl/palisade-extra", data={"policy": 'path "x" { capabilities = ["read"] }'})
    client.delete("identity/group/name/analyst")
    client.delete("auth/people/users/compliance-officer")
    client.write_data("transit/keys/bundle-signing/config", data={"deletion_allowed": True})
    with session_in(as_policy) as session:
        made = apply(session.context, session.declared, lock=session.lock)
        assert len(made) >= 5
        assert make_plan(session.context, session.declared).changes == ()
        assert set(show(session, "registry-database")) == {"username", "password"}
        assert enrol(session.vault, session.configuration, "db-1").wrapping_token
        assert identity_token(session.vault, session.configuration, "compliance-officer").count(".") == 2


def test_who_may_only_read_secrets_gets_no_further(as_policy: Place) -> None:
    use(as_policy, "palisade-secrets-reader")
    with session_in(as_policy) as session, pytest.raises(PalisadeError) as refused:
        make_plan(session.context, session.declared)
    assert str(refused.value).splitlines() == [
        "error: The token may not do this.",
        f"where: {as_policy.server.address}/v1/sys/mounts, token from {as_policy.vault_state / 'root-token'}",
        "allowed: the root token, or one with the policy palisade-operator (docs/vault.md)",
        f"what to do: remove {as_policy.vault_state / 'root-token'} and run ansible-playbook playbooks/vault.yml",
    ]
