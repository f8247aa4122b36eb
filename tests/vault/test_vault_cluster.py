"""cert-manager's way in, and secrets for pods: a real API server with its controllers, and somebody's own Vault."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac.exceptions
import pytest
from kubernetes.client import ApiClient, AuthorizationV1Api, CoreV1Api
from kubernetes.config import new_client_from_config
from vault_place import ENVIRONMENT, FLEET, Place, server

from palisade.local.certificates import Authority
from tests.control_plane import ControlPlane, control_plane
from tests.control_plane.plane import CONTEXT

AUDIENCE = "vault://palisade-vault"


@dataclass(frozen=True)
class Site:
    """An environment that is not local: its cluster and its Vault are somebody's own."""

    place: Place
    plane: ControlPlane
    api: ApiClient

    @property
    def core(self) -> Any:
        return CoreV1Api(self.api)

    def palisade(self, *arguments: str) -> Any:
        token = self.place.server.token
        done = self.place.palisade(*arguments, VAULT_TOKEN=token)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def token(self, account: str, namespace: str, audience: str) -> str:
        """A token of a service account, as the kubelet or cert-manager asks for it."""
        body = {"spec": {"audiences": [audience], "expirationSeconds": 600}}
        return str(self.core.create_namespaced_service_account_token(account, namespace, body).status.token)


def describe(place: Place, kubeconfig: Path, **sections: Any) -> None:
    """Write the environment, with this cluster and further sections."""
    nodes = [{"name": f"registry-{n}", "group": "registry", "address": f"10.20.0.2{n}"} for n in (1, 2, 3)]
    cluster = {
        "kubeconfig": str(kubeconfig),
        "context": CONTEXT,
        "provisioner": "existing",
        "zones": ["a"],
        "api_server": {"addresses": ["10.20.0.5"]},
    }
    place.write(
        local=None,
        networks={**FLEET["networks"], "pods": "10.244.0.0/16"},
        edge={**FLEET["edge"], "load_balancer": {"sends_to": "pods", "networks": ["10.20.8.0/28"]}},
        hosts=[{"name": "bastion-1", "group": "bastion", "address": "10.20.0.10"}, *nodes],
        cluster=cluster,
        vault={"address": place.server.address, "ca_file": str(place.server.authority)},
        **sections,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("cluster")
    (directory / "bao").mkdir()
    with control_plane(controllers=True) as plane, server(directory / "bao") as running:
        place = Place(directory, running)
        describe(place, plane.kubeconfig)
        for file in place.vault_state.iterdir():
            file.unlink()
        with new_client_from_config(str(plane.kubeconfig), CONTEXT) as api:
            site = Site(place, plane, api)
            site.palisade("vault", "apply", ENVIRONMENT, "--output", "json")
            for name in ("cert-manager", "another"):
                site.core.create_namespaced_service_account("palisade-system", {"metadata": {"name": name}})
            yield site


def login(site: Site, token: str) -> dict[str, Any]:
    client = site.place.server.client("")
    answer: dict[str, Any] = client.auth.kubernetes.login(role="cert-manager", jwt=token)["auth"]
    return answer


def test_cert_manager_logs_in_and_may_only_have_certificates_signed(site: Site) -> None:
    auth = login(site, site.token("cert-manager", "palisade-system", AUDIENCE))
    assert auth["policies"] == ["palisade-cert-manager"]
    assert auth["lease_duration"] == 600
    client = site.place.server.client(auth["client_token"])
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.write_data("pki/sign/workloads", data={})
    with pytest.raises(hvac.exceptions.Forbidden):
        client.read("secret/data/registry-database")


FOREIGN: dict[str, tuple[str, dict[str, Any]]] = {
    "a policy of ours": ("sys/policies/acl/palisade-host-registry", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
    "another policy for hosts": ("auth/approle/role/registry", {"token_policies": ["admins"]}),
    "another policy for cert-manager": ("auth/kubernetes/role/cert-manager", {"token_policies": ["admins"]}),
    "the same by the old name": ("auth/kubernetes/role/cert-manager", {"policies": ["admins"]}),
    "another role for pods": ("auth/kubernetes/role/another", {"token_policies": ["admins"]}),
    "an entity": ("identity/entity/name/admin", {"policies": ["admins"]}),
    "a group": ("identity/group/name/admins", {"member_entity_ids": []}),
    "a person": ("auth/people/users/admin", {"password": "of a test", "token_policies": ["admins"]}),
    "another way to log in": ("sys/auth/people", {"type": "userpass"}),
}


@pytest.fixture
def shared(site: Site) -> Iterator[Any]:
    """The client of an operator, in a Vault whose other users have a login at ``people``."""
    root = site.place.server.client()
    root.write_data("sys/auth/people", data={"type": "userpass"})
    root.write_data("auth/people/users/somebody", data={"password": "of a test"})
    yield site.place.server.client(site.place.server.new_token("palisade-operator"))
    root.delete("sys/auth/people")


@pytest.mark.parametrize("what", FOREIGN)
def test_an_operator_of_a_shared_vault_gives_nobody_rights_beyond_palisade(what: str, shared: Any) -> None:
    path, body = FOREIGN[what]
    with pytest.raises(hvac.exceptions.Forbidden):
        shared.write_data(path, data=body)


def test_an_operator_of_a_shared_vault_repairs_what_is_palisades(site: Site, shared: Any) -> None:
    root = site.place.server.client()
    root.delete("auth/kubernetes/role/cert-manager")
    root.delete("auth/approle/role/registry")
    extra = {"bound_service_account_names": "x", "bound_service_account_namespaces": "x", "token_policies": "x"}
    root.write_data("auth/kubernetes/role/extra", data=extra)
    done = site.place.palisade("vault", "apply", ENVIRONMENT, VAULT_TOKEN=shared.token)
    assert done.returncode == 0, done.stdout + done.stderr
    assert root.list("auth/kubernetes/role")["data"]["keys"] == ["cert-manager"]
    assert root.read("auth/approle/role/registry")["data"]["token_policies"] == ["palisade-host-registry"]
    assert root.list("auth/people/users")["data"]["keys"] == ["somebody"]


def test_only_an_administrator_writes_policies(site: Site, shared: Any) -> None:
    site.place.server.client().delete("sys/policies/acl/palisade-audit-sealer")
    done = site.place.palisade("vault", "apply", ENVIRONMENT, VAULT_TOKEN=shared.token)
    assert done.returncode != 0
    assert "v1/sys/policies/acl/palisade-audit-sealer" in done.stderr
    assert "another that may write policies; palisade-operator may not" in done.stderr
    site.palisade("vault", "apply", ENVIRONMENT, "--output", "json")


STRANGERS: dict[str, Callable[[Site], str]] = {
    "another account": lambda site: site.token("another", "palisade-system", AUDIENCE),
    "another namespace": lambda site: site.token("default", "default", AUDIENCE),
    "a token for somebody else": lambda site: site.token("cert-manager", "palisade-system", "https://elsewhere"),
    "a token for the API server": lambda site: site.token(
        "cert-manager", "palisade-system", "https://kubernetes.default.svc"
    ),
    "no token": lambda _: "e30.e30.e30",
}


@pytest.mark.parametrize("token", STRANGERS.values(), ids=STRANGERS)
def test_nobody_else_logs_in(token: Callable[[Site], str], site: Site) -> None:
    with pytest.raises(
        (hvac.exceptions.Forbidden, hvac.exceptions.InternalServerError, hvac.exceptions.InvalidRequest)
    ):
        login(site, token(site))


def test_the_reviewer_may_ask_about_tokens_and_nothing_else(site: Site) -> None:
    def may(**attributes: str) -> bool:
        subject = {
            "user": "system:serviceaccount:palisade-system:vault-token-review",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        }
        body = {"spec": {**subject, "resourceAttributes": attributes}}
        return bool(AuthorizationV1Api(site.api).create_subject_access_review(body).status.allowed)

    assert may(verb="create", group="authentication.k8s.io", resource="tokenreviews")
    for verb, resource in (("get", "secrets"), ("list", "pods"), ("create", "pods"), ("create", "serviceaccounts")):
        assert not may(verb=verb, resource=resource, namespace="palisade-system"), f"{verb} {resource}"


def test_a_second_apply_changes_nothing_and_a_lost_account_is_found(site: Site) -> None:
    assert site.palisade("vault", "apply", ENVIRONMENT, "--output", "json")["changes"] == []
    site.core.delete_namespaced_service_account("vault-token-review", "palisade-system")
    (found,) = site.palisade("vault", "plan", ENVIRONMENT, "--output", "json")["changes"]
    assert found["path"] == "auth/kubernetes/config"
    assert found["after"] == {"service_account": "made in palisade-system"}
    site.palisade("vault", "apply", ENVIRONMENT, "--output", "json")
    assert login(site, site.token("cert-manager", "palisade-system", AUDIENCE))["client_token"]


def test_secrets_reach_the_cluster_once(site: Site) -> None:
    first = site.palisade("secrets", "apply", ENVIRONMENT, "--output", "json")["secrets"]
    assert [(one["namespace"], one["name"], one["keys"]) for one in first] == [
        ("palisade-registry", "registry-database", ["username", "password"]),
        ("palisade-registry", "fleet-root", ["ca.crt", "issuer.crt"]),
        ("palisade-registry", "vault-server", ["ca.crt"]),
        ("palisade-system", "fleet-root", ["ca.crt"]),
        ("palisade-system", "vault-server", ["ca.crt"]),
    ]
    assert all(one["changed"] for one in first)
    again = site.palisade("secrets", "apply", ENVIRONMENT, "--output", "json")["secrets"]
    assert not any(one["changed"] for one in again)
    stored = site.place.server.client().read("secret/data/registry-database")["data"]["data"]
    assert values(site, "palisade-registry", "registry-database") == stored
    root = (site.place.vault_state / "root.crt").read_text(encoding="utf-8")
    assert values(site, "palisade-system", "fleet-root") == {"ca.crt": root}
    server = site.place.server.authority.read_text(encoding="utf-8")
    assert values(site, "palisade-registry", "fleet-root") == {"ca.crt": root, "issuer.crt": root + server}
    live = site.core.read_namespaced_secret("registry-database", "palisade-registry")
    assert [entry.manager for entry in live.metadata.managed_fields] == ["palisade-secrets"]


def test_a_changed_secret_is_put_back(site: Site) -> None:
    site.palisade("secrets", "apply", ENVIRONMENT, "--output", "json")
    wrong = {"data": {"password": base64.b64encode(b"wrong").decode()}}
    site.core.patch_namespaced_secret("registry-database", "palisade-registry", wrong)
    done = site.palisade("secrets", "apply", ENVIRONMENT, "--output", "json")["secrets"]
    assert [one["name"] for one in done if one["changed"]] == ["registry-database"]
    shown = site.palisade("secrets", "show", ENVIRONMENT, "registry-database")
    assert values(site, "palisade-registry", "registry-database") == shown


def test_pods_believe_who_signed_for_the_issuer_of_an_organisation(site: Site, tmp_path: Path) -> None:
    Authority(tmp_path, "an organisation")
    authority = tmp_path / "authority.crt"
    login = {"issuer": "https://login.example.com", "jwks_uri": "https://10.60.0.9/keys", "ca_file": str(authority)}
    describe(site.place, site.plane.kubeconfig, tokens=login)
    try:
        site.palisade("secrets", "apply", ENVIRONMENT, "--output", "json")
    finally:
        describe(site.place, site.plane.kubeconfig)
    assert values(site, "palisade-registry", "fleet-root")["issuer.crt"] == authority.read_text(encoding="utf-8")


def values(site: Site, namespace: str, name: str) -> dict[str, str]:
    data = site.core.read_namespaced_secret(name, namespace).data
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_without_its_cluster_the_rest_is_applied(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bao").mkdir()
    with server(tmp_path / "bao") as running:
        place = Place(tmp_path, running)
        describe(place, tmp_path / "no-kubeconfig")
        done = place.palisade("vault", "apply", ENVIRONMENT, VAULT_TOKEN=running.token)
        assert done.returncode == 0, done.stderr
        assert "Not yet: auth/kubernetes/config: the cluster does not answer" in done.stdout
        verified = place.palisade("vault", "verify", ENVIRONMENT, VAULT_TOKEN=running.token, COLUMNS="200")
        assert verified.returncode == 1
        assert "wait  auth/kubernetes/config" in verified.stdout
        describe(place, site.plane.kubeconfig)
        changes = json.loads(
            place.palisade("vault", "apply", ENVIRONMENT, "--output", "json", VAULT_TOKEN=running.token).stdout
        )["changes"]
        assert [change["path"] for change in changes] == ["auth/kubernetes/config"]
