"""Real Envoy, real OPA, the project's own policy: OPA gets its bundle from Envoy and decides on what Envoy sends on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from policy_parts import new_key

from palisade.access_path.opa import BUNDLE_NAME, OpaSettings, opa_arguments, render_opa
from palisade.bundle.archive import Bundle
from palisade.bundle.build import POLICIES
from palisade.bundle.lookup import lookup
from palisade.bundle.signing import KeyFileSigner
from tests.access_path.client import TLS_1_2
from tests.access_path.edge import READY_SECONDS, Edge, edge, opa_program, status
from tests.control_plane.processes import Daemon
from tests.waiting import wait_until

POLICY = "api/compliance/compliance.rego"


class PolicyEdge(Edge):
    """An access path whose OPA is started as the fleet starts it."""

    key: ClassVar[Path]

    def bundle(self) -> Bundle:
        model = self.model
        data = lookup(model.apis, model.access.required_headers, model.minimum_tls)
        return Bundle({POLICY: (POLICIES.parent / POLICY).read_bytes()}, data, model.environment)

    def put_bundle(self, content: bytes) -> None:
        """Replace the bundle as the kubelet does: what the name points to is another directory."""
        folder = Path(self.model.places.bundle)
        version = folder / f"..{len(list(folder.iterdir()))}"
        version.mkdir()
        (version / BUNDLE_NAME).write_bytes(content)
        partial = folder / "..partial"
        partial.symlink_to(version.name)
        partial.rename(folder / "..data")
        if not (folder / BUNDLE_NAME).is_symlink():
            (folder / BUNDLE_NAME).symlink_to(f"..data/{BUNDLE_NAME}")

    def start_opa(self) -> None:
        model, folder = self.model, self.directory / "opa"
        if not folder.exists():
            folder.mkdir()
            self.put_bundle(self.bundle().archive(KeyFileSigner(self.key)))
        settings = OpaSettings(
            environment=model.environment,
            verification_key=KeyFileSigner(self.key).public_key(),
            bundle_url=f"http://127.0.0.1:{model.ports.bundle}",
            socket=model.places.policy_socket,
            persistence_directory=str(folder / "kept"),
            polling_seconds=(1, 1),
        )
        for name, text in render_opa(settings).items():
            (folder / name).write_text(text, encoding="utf-8")
        address = f"127.0.0.1:{model.neighbours.policy_health.port}"
        command = [opa_program(), *opa_arguments(str(folder), health_address=address)]
        self.opa = Daemon("opa", command, self.directory)
        self.opa.wait_until(lambda: status(model.neighbours.policy_health.port, "/health") == 200, READY_SECONDS)


@pytest.fixture(scope="module")
def policy_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyEdge]:
    PolicyEdge.key = new_key(tmp_path_factory.mktemp("key") / "signing.pem")
    with edge(tmp_path_factory.mktemp("edge"), kind=PolicyEdge) as started:
        assert isinstance(started, PolicyEdge)
        wait_until(lambda: _health(started) == 200, "OPA has no bundle")
        yield started


def _health(started: Edge) -> int:
    return status(started.model.ports.health, "/opa")


@pytest.mark.parametrize(
    ("path", "roles", "expected"),
    [
        ("/v1/finance/records", ["compliance_officer"], (200, "allowed")),
        ("/v1/finance/records?page=2", ["compliance_officer"], (200, "allowed")),
        ("/v1/finance/records/42", ["compliance_officer"], (200, "allowed")),
        ("/v1/finance/records", ["analyst"], (403, "role")),
        ("/v1/finance/records", [], (403, "role")),
        ("/v1/finance/summary", ["analyst"], (200, "allowed")),
        ("/v1/ledger", ["analyst"], (410, "disabled")),
        ("/v1/finance", ["compliance_officer"], (404, "unregistered")),
        ("/v1/finance/records/%C0%AF", ["compliance_officer"], (404, "unregistered")),
        ("/v1/finance/records/a;b", ["compliance_officer"], (404, "unregistered")),
    ],
)
def test_answers(policy_edge: PolicyEdge, path: str, roles: list[str], expected: tuple[int, str]) -> None:
    client = policy_edge.client()
    answer, record = policy_edge.new_record(lambda: client.ask(path, headers=policy_edge.bearer(*roles)))
    assert (answer.status, record["decision"]["rule"]) == expected
    assert record["decision"]["bundle_revision"] == policy_edge.bundle().revision


def test_a_path_that_envoy_makes_plain_is_decided_on_as_it_goes_on(policy_edge: PolicyEdge) -> None:
    bearer = policy_edge.bearer("compliance_officer")
    for path in ("//v1/finance//records", "/v1/./finance/records", "/v1/x/../finance/records", "/v1/fin%61nce/records"):
        assert policy_edge.client().ask(path, headers=bearer).status == 200
        assert policy_edge.asked[-1] == "/v1/finance/records"


def test_nobody_forges_what_is_decided_on(policy_edge: PolicyEdge) -> None:
    forged = {
        **policy_edge.bearer("analyst"),
        "x-palisade-tls-version": "TLSv1.3",
        "x-palisade-roles": "compliance_officer",
        "x-claims": '{"claims":{"roles":["compliance_officer"]}}',
    }
    assert policy_edge.client().ask("/v1/finance/records", headers=forged).status == 403
    officer = {**policy_edge.bearer("compliance_officer"), "x-palisade-tls-version": "TLSv1.3"}
    assert policy_edge.client().ask("/v1/finance/records", tls=TLS_1_2, headers=officer).status == 403


def test_a_route_that_is_not_what_was_decided_on_serves_nobody(policy_edge: PolicyEdge) -> None:
    model, client = policy_edge.model, policy_edge.client()

    def answer(path: str) -> tuple[int, str, str]:
        bearer = policy_edge.bearer("analyst", "compliance_officer")
        found, record = policy_edge.new_record(lambda: client.ask(path, headers=bearer))
        return found.status, record["decision"]["rule"], record["route"]

    # Routes of another registry than the bundle's: there, a template takes what OPA knows as the summary.
    finance = model.apis.apis[0]
    wider = tuple(one.model_copy(update={"path": one.path.replace("summary", "{any}")}) for one in finance.operations)
    changed = model.apis.model_copy(update={"apis": (finance.model_copy(update={"operations": wider}),)})
    try:
        policy_edge.write(replace(model, apis=changed))
        policy_edge.wait_until(lambda: answer("/v1/finance/summary")[2] == "/v1/finance/{any}")
        before = len(policy_edge.asked)
        assert answer("/v1/finance/summary")[:2] == (503, "route")
        assert len(policy_edge.asked) == before
        assert answer("/v1/finance/records")[:2] == (200, "allowed")
    finally:
        policy_edge.write(model)
    policy_edge.wait_until(lambda: answer("/v1/finance/summary")[:2] == (200, "allowed"))


def test_a_parameter_of_another_name_is_the_same_operation(policy_edge: PolicyEdge) -> None:
    model, bearer = policy_edge.model, policy_edge.bearer("compliance_officer")
    finance = model.apis.apis[0]
    renamed = tuple(one.model_copy(update={"path": one.path.replace("{record}", "{id}")}) for one in finance.operations)
    changed = model.apis.model_copy(update={"apis": (finance.model_copy(update={"operations": renamed}),)})

    def answer() -> tuple[int, str]:
        path = "/v1/finance/records/42"
        found, record = policy_edge.new_record(lambda: policy_edge.client().ask(path, headers=bearer))
        return found.status, record["route"]

    try:
        policy_edge.write(replace(model, apis=changed))
        policy_edge.wait_until(lambda: answer() == (200, "/v1/finance/records/{id}"))
    finally:
        policy_edge.write(model)
    policy_edge.wait_until(lambda: answer() == (200, "/v1/finance/records/{record}"))


def test_an_altered_bundle_changes_nothing(policy_edge: PolicyEdge) -> None:
    good = policy_edge.bundle()
    opened = {POLICY: good.policies[POLICY].replace(b"default allowed := false", b"default allowed := true")}
    by_another = Bundle(opened, good.data, good.environment).archive(
        KeyFileSigner(new_key(policy_edge.directory / "other.pem"))
    )
    policy_edge.put_bundle(by_another)
    policy_edge.wait_until(lambda: "failed to verify JWT signature" in policy_edge.opa.log.read_text(), READY_SECONDS)
    client = policy_edge.client()
    assert client.ask("/v1/finance/records", headers=policy_edge.bearer("analyst")).status == 403
    assert client.ask("/v1/finance/records", headers=policy_edge.bearer("compliance_officer")).status == 200
    policy_edge.put_bundle(good.archive(KeyFileSigner(policy_edge.key)))


def test_only_the_bundle_is_given_away(policy_edge: PolicyEdge) -> None:
    port = policy_edge.model.ports.bundle
    assert status(port, f"/{BUNDLE_NAME}") == 200
    for path in ("/", "/../envoy/envoy.yaml", "/..data/../../envoy/envoy.yaml", "/nothing", "/%2e%2e/envoy/envoy.yaml"):
        assert status(port, path) in {400, 403, 404}, path
