"""Controls of what is inside Vault: a proof takes its change back at once, and checks notice what differs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from verification_sample import a_control, a_fleet, a_registry, a_suite

from palisade.controls import Scope, VaultDeclaration, load_controls
from palisade.fleet import HostGroup
from palisade.verification.check import Recorder
from palisade.verification.cluster import Cluster
from palisade.verification.cluster_access import ClusterAccess
from palisade.verification.connections import Connections
from palisade.verification.prove import Outcome, prove, selection
from palisade.verification.vault_inside import VaultInside
from tests.check_modules import checks_in

ROOT = Path(__file__).resolve().parents[3]
CONTROLS = {one.id: one for one in load_controls(ROOT).controls if isinstance(one.implemented_by, VaultDeclaration)}
ROLES = CONTROLS["vault-inside-certificates"].expected["lists"]["{pki}/roles"]
CERTIFICATES = ROLES["settings"] | ROLES["at_most"]
LOGIN = CONTROLS["vault-inside-logins"].expected["lists"]["auth/{kubernetes}/role"]["settings"]
KEY = CONTROLS["vault-inside-keys"].expected["lists"]["{transit}/keys"]["settings"]
HOST = {"bind_secret_id": True, "token_max_ttl": 86400, "token_period": 0}
GOOD: dict[str, dict[str, Any]] = {
    "sys/mounts": {
        "secrets/": {"type": "kv"},
        "pki_root/": {"type": "pki"},
        "pki/": {"type": "pki"},
        "transit/": {"type": "transit"},
        "sys/": {"type": "system"},
    },
    "sys/auth": {
        "approle/": {"type": "approle"},
        "kubernetes/": {"type": "kubernetes"},
        "people/": {"type": "userpass"},
    },
    "{pki}/roles/hosts": CERTIFICATES,
    "{pki}/roles/workloads": CERTIFICATES,
    "auth/{kubernetes}/role/cert-manager": LOGIN,
    "auth/{approle}/role/registry": HOST,
    **{f"{{transit}}/keys/{name}": KEY for name in ("audit-digest", "bundle-signing", "evidence-signing")},
    "sys/policies/acl/palisade-person": {"policy": 'path "identity/x" {\n  capabilities = ["read"]\n}'},
    "sys/policies/acl/palisade-operator": {"policy": 'path "sys/audit" {\n  capabilities = ["read", "sudo"]\n}'},
    "sys/policies/acl/root": {"policy": ""},
}


class FakeVault:
    """What is inside, by paths."""

    def __init__(self) -> None:
        self.inside = copy.deepcopy(GOOD)

    def path(self, template: str) -> str:
        return template.strip("{}")

    def read(self, path: str) -> dict[str, Any] | None:
        return self.inside.get(path)

    def names(self, path: str) -> list[str]:
        return sorted(name.rpartition("/")[2] for name in self.inside if name.rpartition("/")[0] == path)


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    return checks_in("test_vault_inside")


def check(checks: ModuleType, name: str, vault: FakeVault, *, is_local: bool = True) -> None:
    control = CONTROLS[name]
    recorder = Recorder()
    further = [SimpleNamespace(access=SimpleNamespace(is_local=is_local))] if name.endswith("mounts") else []
    getattr(checks, control.verified_by.partition("::")[2])(control, recorder, vault, *further)
    assert recorder.file == f"policies/vault/{cast(VaultDeclaration, control.implemented_by).vault}.yaml"


@pytest.mark.parametrize("name", CONTROLS)
def test_a_vault_as_it_should_be_passes(checks: ModuleType, name: str) -> None:
    check(checks, name, FakeVault())


def test_certificates_may_live_for_less_than_a_day(checks: ModuleType) -> None:
    vault = FakeVault()
    vault.inside["{pki}/roles/hosts"].update(ttl=21600, max_ttl=25200)
    check(checks, "vault-inside-certificates", vault)


BROKEN: list[tuple[str, Callable[[FakeVault], Any], str]] = [
    ("mounts", lambda one: one.inside["sys/auth"].pop("people/"), "people/ is not set in sys/auth"),
    ("mounts", lambda one: one.inside["sys/mounts"].update({"old/": {"type": "kv"}}), "old/ of the type kv is mounted"),
    ("certificates", lambda one: one.inside["{pki}/roles/hosts"].update(allow_any_name=True), "allow_any_name is True"),
    (
        "certificates",
        lambda one: one.inside["{pki}/roles/hosts"].update(ttl=86401),
        "ttl is 86401 in {pki}/roles/hosts",
    ),
    (
        "certificates",
        lambda one: one.inside["{pki}/roles/hosts"].update(max_ttl=0),
        "max_ttl is 0 in {pki}/roles/hosts",
    ),
    ("certificates", lambda one: one.inside.update({"{pki}/roles/old": CERTIFICATES}), "has hosts, old, workloads"),
    (
        "logins",
        lambda one: one.inside["auth/{kubernetes}/role/cert-manager"].update(bound_service_account_names=["*"]),
        "bound_service_account_names is ['*']",
    ),
    ("logins", lambda one: one.inside["auth/{approle}/role/registry"].update(token_period=60), "token_period is 60"),
    (
        "keys",
        lambda one: one.inside["{transit}/keys/audit-digest"].update(deletion_allowed=True),
        "deletion_allowed is",
    ),
    (
        "policies",
        lambda one: one.inside.update(
            {"sys/policies/acl/palisade-all": {"policy": 'path "*" { capabilities = ["read"] }'}}
        ),
        "there is a policy palisade-all; palisade-all is about every path",
    ),
    (
        "policies",
        lambda one: one.inside["sys/policies/acl/palisade-person"].update(
            policy='path "sys/raw/*" { capabilities = ["sudo"] }'
        ),
        "palisade-person may do with sudo what is at sys/raw/*",
    ),
]


@pytest.mark.parametrize(("name", "break_it", "said"), BROKEN)
def test_what_differs_is_noticed(
    checks: ModuleType, name: str, break_it: Callable[[FakeVault], Any], said: str
) -> None:
    vault = FakeVault()
    break_it(vault)
    with pytest.raises(AssertionError) as noticed:
        check(checks, f"vault-inside-{name}", vault)
    assert said in str(noticed.value)


def test_a_vault_that_is_shared_has_other_engines(checks: ModuleType) -> None:
    vault = FakeVault()
    vault.inside["sys/mounts"]["of-others/"] = {"type": "ssh"}
    vault.inside["sys/auth"].pop("people/")
    check(checks, "vault-inside-mounts", vault, is_local=False)


class File(VaultInside):
    """A Vault that is one file."""

    def __init__(self, path: Path) -> None:
        self.file = path
        self.file.write_text("good")

    @property
    def variables(self) -> dict[str, str]:
        return {"VAULT_ADDR": str(self.file)}

    def put_back(self) -> None:
        self.file.write_text("good")


class NoCluster(Cluster):
    """A cluster that is there, and that nobody has to ask."""

    def __init__(self) -> None:
        super().__init__(ClusterAccess(None, "here"), declared=list)

    def require_reachable(self) -> None:
        return None


def test_a_proof_changes_vault_with_the_operators_token_and_takes_it_back_at_once(tmp_path: Path) -> None:
    checked = """
        def test_inside(control, observation, vault):
            observation.runtime = vault.file.read_text().strip()
            assert observation.runtime == "good", f"it is {observation.runtime}"
    """
    control = a_control(
        "a-vault",
        check="tests/verify/test_vault_file.py::test_inside",
        proven_by='echo bad > "$VAULT_ADDR"',
        applies_to=(Scope.CLUSTER,),
    ).model_copy(update={"implemented_by": VaultDeclaration(vault="keys")})
    fleet = a_fleet(bastion_1=HostGroup.BASTION)
    vault = File(tmp_path / "vault")
    with Connections(fleet) as connections:
        suite = a_suite(tmp_path, "test_vault_file.py", checked, a_registry(control), connections)
        suite.cluster, suite.vault = NoCluster(), vault
        chosen = selection(suite.registry, fleet, cluster=True)
        (proof,) = prove(suite, chosen, harden=lambda: pytest.fail("no host was broken")).proofs
    assert (proof.outcome, proof.reason) == (Outcome.KILLED, "it is bad")
    assert vault.file.read_text() == "good"
