"""What the edge answers, why, and what it records: real Envoy, real OPA."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.access_path.client import TLS_1_2, TLS_1_3
from tests.access_path.edge import Edge
from tests.access_path.issuer import Issuer

RECORDS = "/v1/finance/records"
OFFICER, ANALYST = "compliance_officer", "analyst"


@dataclass(frozen=True)
class Case:
    """A request, the answer, and what its record says of the reason."""

    name: str
    status: int
    reason: str
    path: str = RECORDS
    method: str = "GET"
    tls: ssl.TLSVersion = TLS_1_3
    route: str | None = RECORDS
    rule: str | None = None
    headers: Callable[[Edge], Mapping[str, str]] = lambda edge: edge.bearer(OFFICER)


def with_token(token: Callable[[Edge], str]) -> Callable[[Edge], Mapping[str, str]]:
    return lambda edge: {"Authorization": f"Bearer {token(edge)}", "X-Request-ID": "a-test"}


def without(name: str) -> Callable[[Edge], Mapping[str, str]]:
    return lambda edge: {key: value for key, value in edge.bearer(OFFICER).items() if key != name}


def refused(reason: str) -> str:
    return f"jwt_authn_access_denied{{{reason}}}"


DENIED = "ext_authz_denied"
UNREGISTERED = {"route": "unregistered", "rule": "unregistered"}
CASES = [
    Case("allowed", 200, "via_upstream", rule="allowed"),
    Case(
        "a parameter", 200, "via_upstream", path=f"{RECORDS}/7?fields=a", route=f"{RECORDS}/{{record}}", rule="allowed"
    ),
    Case("another method", 200, "via_upstream", method="POST", rule="allowed"),
    Case("no token", 401, refused("Jwt_is_missing"), headers=without("Authorization")),
    Case("expired", 401, refused("Jwt_is_expired"), headers=lambda e: e.bearer(OFFICER, exp=int(time.time()) - 120)),
    Case("never expires", 401, refused("Jwt_verification_fails"), headers=lambda e: e.bearer(OFFICER, exp=None)),
    Case("not yet", 401, refused("Jwt_not_yet_valid"), headers=lambda e: e.bearer(OFFICER, nbf=int(time.time()) + 120)),
    Case(
        "audience", 401, refused("Audiences_in_Jwt_are_not_allowed"), headers=lambda e: e.bearer(OFFICER, aud="other")
    ),
    Case(
        "issuer", 401, refused("Jwt_issuer_is_not_configured"), headers=lambda e: e.bearer(OFFICER, iss="https://other")
    ),
    Case(
        "alg none",
        401,
        refused("Jwt_header_[alg]_is_not_supported"),
        headers=with_token(lambda e: e.issuer.sign(e.issuer.claims(OFFICER), "none") + "AAAA"),
    ),
    Case(
        "no signature",
        401,
        refused("Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections"),
        headers=with_token(lambda e: e.issuer.sign(e.issuer.claims(OFFICER), "none")),
    ),
    Case(
        "another key",
        401,
        refused("Jwt_verification_fails"),
        headers=with_token(lambda e: Issuer(e.issuer.address).token(OFFICER)),
    ),
    Case("no bearer", 401, refused("Jwt_is_missing"), headers=lambda e: {"Authorization": e.issuer.token(OFFICER)}),
    Case(
        "token in the query",
        401,
        refused("Jwt_is_missing"),
        path=f"{RECORDS}?access_token=x",
        headers=without("Authorization"),
    ),
    Case("wrong role", 403, DENIED, rule="role", headers=lambda e: e.bearer(ANALYST)),
    Case("no role", 403, DENIED, rule="role", headers=lambda e: e.bearer()),
    Case("old TLS", 403, DENIED, rule="tls", tls=TLS_1_2),
    Case(
        "a forged TLS version",
        403,
        DENIED,
        rule="tls",
        tls=TLS_1_2,
        headers=lambda e: {**e.bearer(OFFICER), "X-Palisade-TLS-Version": "TLSv1.3"},
    ),
    Case("no request id", 400, DENIED, rule="mandatory_header", headers=without("X-Request-ID")),
    Case("unregistered", 404, DENIED, path="/v1/secret", **UNREGISTERED),
    Case("unregistered method", 404, DENIED, method="DELETE", **UNREGISTERED),
    Case("longer", 404, DENIED, path=f"{RECORDS}/7/more", **UNREGISTERED),
    Case(
        "TLS 1.2 where it may be",
        200,
        "via_upstream",
        path="/v1/finance/summary",
        tls=TLS_1_2,
        route="/v1/finance/summary",
        rule="allowed",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_request_is_answered_and_recorded_once(case: Case, edge: Edge) -> None:
    seen = len(edge.asked)
    answer, record = edge.new_record(
        lambda: edge.client().ask(case.path, method=case.method, tls=case.tls, headers=case.headers(edge))
    )
    assert answer.status == case.status, answer
    assert len(edge.asked) == seen + (case.status == 200), "only what is allowed reaches the service"
    assert record["status"] == case.status
    assert record["reason"] == case.reason
    assert record["method"] == case.method
    assert record["route"] == case.route
    assert record["decision"]["rule"] == case.rule
    assert bool(record["decision"]["id"]) is (case.rule is not None)
    assert record["tls"]["version"] == ("TLSv1.3" if case.tls is TLS_1_3 else "TLSv1.2")
    assert answer.headers["server"] == "palisade"
    assert "x-powered-by" not in answer.headers


def test_the_service_gets_the_tls_version_and_no_token(edge: Edge) -> None:
    forged = {"X-Palisade-TLS-Version": "TLSv1.9", "x-palisade-subject": "somebody"}
    answer = edge.client().ask(RECORDS, headers={**edge.bearer(OFFICER), **forged})
    headers = answer.document["headers"]
    assert headers["x-palisade-tls-version"] == "TLSv1.3"
    assert headers["x-request-id"] == answer.headers["x-request-id"] == "a-test"
    assert not {"authorization", "x-palisade-subject"} & headers.keys()
    assert [name for name in headers if name.startswith("x-envoy-")] == ["x-envoy-external-address"]


def test_a_record_is_complete_and_holds_nothing_personal(edge: Edge) -> None:
    token = edge.bearer(OFFICER, sub="jane.doe@example.org")
    _, record = edge.new_record(lambda: edge.client().ask(f"{RECORDS}/jane?name=doe", headers=token))
    assert set(record) == {
        *("record", "listener", "emitter", "time", "record_id", "request_id", "method", "route", "status", "reason"),
        *("response_flags", "protocol", "upstream", "subject", "decision", "tls", "milliseconds", "bytes"),
    }
    assert (record["request_id"], record["subject"]) == ("a-test", None)
    assert record["decision"] == {
        "rule": "allowed",
        "route": f"{RECORDS}/{{record}}",
        "bundle_revision": "test",
        "id": record["decision"]["id"],
    }
    assert record["tls"] == {"version": "TLSv1.3", "cipher": record["tls"]["cipher"], "peer": None}
    assert record["tls"]["cipher"].startswith("TLS_")
    assert record["milliseconds"]["total"] >= record["milliseconds"]["upstream"] >= 0
    text = str(record)
    assert not [word for word in ("jane", "doe", "127.0.0.1:5", edge.issuer.token(OFFICER)[:20]) if word in text]


PATHS: list[tuple[str, int, str | None]] = [
    # what is sent, the answer, and the path that the service sees
    (f"{RECORDS}/../records", 200, RECORDS),
    (f"/v1/../../..{RECORDS}", 200, RECORDS),
    ("//v1///finance//records", 200, RECORDS),
    (f"{RECORDS}/./7", 200, f"{RECORDS}/7"),
    ("/v1/finance/%72ecords", 200, RECORDS),
    (f"{RECORDS}%2f7", 400, None),
    (f"{RECORDS}%5c7", 400, None),
    ("/v1/finance\\records", 200, RECORDS),
    (f"{RECORDS}/%2e%2e/summary", 200, "/v1/finance/summary"),
    (f"{RECORDS}/%00", 400, None),
    (f"{RECORDS};a=b", 404, None),
    (f"{RECORDS}/", 404, None),
    ("/V1/FINANCE/RECORDS", 404, None),
    (f"{RECORDS}#x", 400, None),
    (f"http://127.0.0.1{RECORDS}", 200, RECORDS),
    (f"{RECORDS}?/../secret", 200, f"{RECORDS}?/../secret"),
    ("/v1/secret/../finance/records", 200, RECORDS),
    ("/v1/finance/records/../../secret", 404, None),
    ("*", 400, None),
]


@pytest.mark.parametrize(("sent", "status", "seen"), PATHS, ids=[path for path, *_ in PATHS])
def test_a_path_means_the_same_to_envoy_to_the_policy_and_to_the_service(
    sent: str, status: int, seen: str | None, edge: Edge
) -> None:
    before = len(edge.asked)
    answer, record = edge.new_record(lambda: edge.client().ask(sent, headers=edge.bearer(OFFICER)))
    assert (answer.status, edge.asked[before:]) == (status, [seen] if seen else [])
    assert record["status"] == status


def test_a_header_with_an_underscore_is_refused(edge: Edge) -> None:
    headers = {**edge.bearer(OFFICER), "x_palisade_tls_version": "TLSv1.3"}
    assert edge.client().ask(RECORDS, headers=headers).status == 400


@pytest.mark.parametrize("headers", [{f"x-{number}": "a" for number in range(200)}, {"x-large": "a" * 40_000}])
def test_too_many_or_too_large_headers_are_refused(headers: Mapping[str, str], edge: Edge) -> None:
    sound = edge.bearer(OFFICER)
    answer, record = edge.new_record(lambda: edge.client().ask(RECORDS, headers={**sound, **headers}))
    assert answer.status == record["status"] == 431


def test_a_connection_that_fails_before_http_is_recorded(edge: Edge) -> None:
    def old_tls() -> Any:
        with pytest.raises(ssl.SSLError):
            edge.client().socket(ssl.TLSVersion.TLSv1_1).close()

    _, record = edge.new_record(old_tls, kind="connection")
    assert "UNSUPPORTED_PROTOCOL" in record["reason"]
    assert set(record) == {
        *("record", "listener", "emitter", "time", "record_id", "reason", "response_flags", "milliseconds")
    }


def test_there_are_as_many_records_as_requests(edge: Edge) -> None:
    for path in (RECORDS, "/v1/secret", "/v1/finance/summary"):
        for headers in (edge.bearer(OFFICER), edge.bearer(ANALYST), {}):
            edge.client().ask(path, headers=headers)
    edge.settle()
    found = edge.records()
    assert len(found) == len(edge.sent) >= 9
    assert len({record["record_id"] for record in found}) == len(found)


MANAGEMENT = [
    ("registry_reader", "GET", "/apis/registry/v3/groups", 200),
    ("registry_admin", "GET", "/apis/registry/v3/groups", 200),
    ("registry_reader", "POST", "/apis/registry/v3/groups", 403),
    ("registry_admin", "POST", "/apis/registry/v3/groups", 200),
    ("compliance_officer", "GET", "/apis/registry/v3/groups", 403),
    ("registry_admin", "GET", "/q/dev", 404),
    ("registry_admin", "GET", "/apis/ccompat/v7/subjects", 404),
    ("registry_admin", "GET", "/apis/registry/v3/../../../q/dev", 404),
    ("", "GET", "/apis/registry/v3/groups", 401),
]


@pytest.mark.parametrize(("role", "method", "path", "status"), MANAGEMENT)
def test_the_registry_is_managed_by_those_who_may(role: str, method: str, path: str, status: int, edge: Edge) -> None:
    headers = edge.bearer(role) if role else {}
    answer, record = edge.new_record(lambda: edge.management.ask(path, method=method, headers=headers))
    assert answer.status == record["status"] == status
    assert record["listener"] == "management"


@pytest.mark.parametrize(
    ("path", "found"), [("/envoy", 200), ("/opa", 200), ("/registry", 200), ("/", 404), ("/stats", 404)]
)
def test_the_health_listener_answers_probes_and_nothing_else(path: str, found: int, edge: Edge) -> None:
    from tests.access_path.edge import status  # noqa: PLC0415

    assert status(edge.model.ports.health, path) == found
