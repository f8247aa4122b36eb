"""OPA with the rendered files: it decides by a signed bundle, keeps the last good one, and denies without any."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from policy_parts import ANALYST, DEPRECATION, TOKEN, Beside, BundleServer, apis, bundle, decisions

from palisade.bundle.signing import KeyFileSigner

PRIVATE = "of-one-person"
"""A part of a path that no log may hold; a number would be found by chance in an ID or a time."""


@pytest.fixture
def signed(key: Path) -> bytes:
    return bundle(apis()).archive(KeyFileSigner(key))


@pytest.fixture
def changing(deciding: Beside, signed: bytes) -> Iterator[Beside]:
    """The shared OPA, for a test that gives it other bundles."""
    yield deciding
    deciding.server.content = signed
    deciding.server.wait_until_asked()


@pytest.fixture
def own(beside: Beside, server: BundleServer, signed: bytes) -> Beside:
    """An OPA that a test may stop."""
    server.content = signed
    beside.start_with_bundle()
    return beside


@pytest.mark.parametrize(
    ("path", "claims", "sent", "status", "rule"),
    [
        ("/v1/finance/records", None, {}, 200, "allowed"),
        ("/v1/finance/records?page=2", None, {}, 200, "allowed"),
        ("/v1/finance/records/42", None, {}, 200, "allowed"),
        ("/v1/finance/records", None, {"x_palisade_tls_version": "TLSv1.2"}, 403, "tls"),
        ("/v1/finance/records", ANALYST, {}, 403, "role"),
        ("/v1/finance/summary", ANALYST, {"x_palisade_tls_version": "TLSv1.2"}, 200, "allowed"),
        ("/v1/finance/summary", {**ANALYST, "department": "sales"}, {}, 403, "attribute"),
        ("/v1/finance/records", None, {"x_request_id": "two words"}, 400, "header"),
        ("/v1/finance/records", {}, {}, 403, "role"),
        ("/v0/finance/records", None, {}, 410, "disabled"),
        ("/v1/finance", None, {}, 404, "unregistered"),
        ("/v1/finance%2Frecords", None, {}, 404, "unregistered"),
        ("//v1/finance/records", None, {}, 404, "unregistered"),
        ("/v1/finance/records/", None, {}, 404, "unregistered"),
        ("/v1/finance/records/..", None, {}, 404, "unregistered"),
    ],
)
def test_decisions(
    deciding: Beside, path: str, claims: dict[str, Any] | None, sent: dict[str, str], status: int, rule: str
) -> None:
    answer = deciding.ask(path, claims, **sent)
    assert (answer.status, answer.rule) == (status, rule)
    assert answer.revision == bundle(apis()).revision
    assert answer.metadata["decision_id"]


def test_a_deprecated_api_says_so(changing: Beside, key: Path) -> None:
    assert "deprecation" not in changing.ask().headers
    changing.server.content = _newer(key)
    changing.server.wait_until_asked()
    answer = changing.ask()
    assert (answer.status, answer.headers["deprecation"]) == (200, DEPRECATION)


def _with(archive: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        files = {one.name: packed.extractfile(one).read() for one in packed.getmembers()}  # type: ignore[union-attr]
    change(files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _open_the_policy(files: dict[str, bytes]) -> None:
    name = "/api/compliance/compliance.rego"
    files[name] = files[name].replace(b'default outcome := "attribute"', b'default outcome := "allowed"')


def _add_a_role(files: dict[str, bytes]) -> None:
    files["/data.json"] = files["/data.json"].replace(b'"compliance_officer":true', b'"analyst":true')


def _add_a_policy(files: dict[str, bytes]) -> None:
    files["/api/compliance/more.rego"] = b'package api.compliance\n\noutcome := "allowed"\n'


def _newer(key: Path, **changed: str) -> bytes:
    return bundle(apis(state="DEPRECATED"), **changed).archive(KeyFileSigner(key))


def _refused(kind: str, good: bytes, key: Path, other_key: Path) -> bytes:
    changes: dict[str, Callable[[dict[str, bytes]], None]] = {
        "policy": _open_the_policy,
        "data": _add_a_role,
        "file added": _add_a_policy,
        "unsigned": lambda files: files.__delitem__("/.signatures.json"),
    }
    if kind in changes:
        return _with(good, changes[kind])
    made = {"other key": lambda: _newer(other_key), "other environment": lambda: _newer(key, environment="prod")}
    return made[kind]() if kind in made else good[: len(good) // 2]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("policy", "digest mismatch"),
        ("data", "digest mismatch"),
        ("file added", "not included in bundle signature"),
        ("unsigned", "missing .signatures.json"),
        ("other key", "failed to verify"),
        ("other environment", "scope mismatch"),
        ("cut off", "EOF"),
    ],
)
def test_a_bad_bundle_is_refused_and_the_last_good_one_stays(
    changing: Beside, signed: bytes, key: Path, other_key: Path, kind: str, said: str
) -> None:
    before, written = changing.ask(), len(changing.said)
    changing.server.content = _refused(kind, signed, key, other_key)
    changing.server.wait_until_asked()
    assert said in changing.said[written:]
    after = changing.ask()
    assert (after.status, after.revision, after.headers) == (200, before.revision, {})
    assert changing.ask(claims=ANALYST).status == 403


def test_the_last_good_bundle_survives_a_restart(own: Beside, signed: bytes, key: Path, other_key: Path) -> None:
    revision = own.ask().revision
    assert own.kept.read_bytes() == signed
    for content in (None, _with(signed, _open_the_policy), _newer(other_key)):
        own.server.content = content
        own.stop()
        own.start_with_bundle()
        own.server.wait_until_asked()
        assert (own.ask().status, own.ask().revision) == (200, revision)
        assert own.ask(claims=ANALYST).status == 403
    own.server.content = _newer(key)
    own.server.wait_until_asked()
    assert own.ask().headers["deprecation"] == DEPRECATION


def test_a_kept_bundle_that_was_altered_on_disk_is_refused(own: Beside, signed: bytes) -> None:
    own.stop()
    own.server.content = None
    own.kept.write_bytes(_with(signed, _open_the_policy))
    own.start()
    own.server.wait_until_asked()
    assert "digest mismatch" in own.said
    with pytest.raises(grpc.RpcError):
        own.ask()


def test_without_a_bundle_there_is_no_decision_and_no_token_in_the_log(beside: Beside, server: BundleServer) -> None:
    beside.start()
    server.wait_until_asked()
    assert beside.http("/health")[0] == 200
    assert beside.http("/health?bundles")[0] == 500
    with pytest.raises(grpc.RpcError) as raised:
        beside.ask(f"/v1/finance/records?secret={PRIVATE}")
    assert "undefined decision" in str(raised.value)
    _assert_nothing_private(beside.said)


def test_the_decision_log_holds_facts_and_no_secrets(deciding: Beside) -> None:
    deciding.ask(f"/v1/finance/records/{PRIVATE}?secret={PRIVATE}")
    deciding.ask(f"/v1/finance/records/{PRIVATE}", ANALYST)
    allowed, refused = decisions(deciding.said)[-2:]
    assert allowed["input"] == {
        "method": "GET",
        "request_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "tls_version": "TLSv1.3",
    }
    assert allowed["result"]["dynamic_metadata"]["route"] == "/v1/finance/records/{record}"
    assert refused["result"]["dynamic_metadata"]["rule"] == "role"
    assert allowed["bundles"] == {"api": {"revision": bundle(apis()).revision}}
    assert allowed["decision_id"]
    _assert_nothing_private(deciding.said)


def _assert_nothing_private(said: str) -> None:
    assert decisions(said)
    for secret in (TOKEN, "Bearer", PRIVATE, "person-", "compliance_officer"):
        assert secret not in said


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/data"),
        ("GET", "/v1/policies"),
        ("GET", "/v1/config"),
        ("PUT", "/v1/policies/health"),
        ("PUT", "/v1/data/registry"),
        ("POST", "/v1/data/api/compliance/decision"),
        ("GET", "/v1/query?q=data"),
        ("GET", "/debug/pprof/"),
    ],
)
def test_nobody_reads_or_changes_policies_over_http(deciding: Beside, method: str, path: str) -> None:
    status, _ = deciding.http(path, method, b"{}" if method != "GET" else None)
    assert status in {401, 404}
    assert deciding.http("/health?bundles&plugins")[0] == 200
    assert deciding.http("/metrics")[0] == 200
