"""The document about the APIs of a fleet: what it takes, what it refuses, and that it is written the same each time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from palisade.errors import ConfigurationError
from palisade.registry.model import Apis, apis_file, read_apis

SAMPLE: dict[str, Any] = {
    "name": "finance",
    "version": "1.0.0",
    "state": "ENABLED",
    "owner": "finance-platform",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "upstream": {"host": "upstream.palisade-registry.svc.cluster.local", "port": 8080},
    "operations": [
        {"method": "GET", "path": "/v1/finance/records", "roles": ["compliance_officer"], "minimum_tls": "1.3"},
        {"method": "GET", "path": "/v1/finance/records/{record}", "roles": ["compliance_officer"]},
    ],
}
SECOND = {**SAMPLE, "version": "2.0.0", "operations": [{**SAMPLE["operations"][0], "path": "/v2/finance/records"}]}


class Bad(NamedTuple):
    """One change that is refused, and what the error says."""

    path: tuple[str | int, ...]
    value: Any
    where: str
    said: str


OPERATION = ("operations", 0)
NO_SERVICES = """
127.0.0.1 127.255.255.254 127.1 127.0.0.01 0177.0.0.1 2130706433 0x7f000001 0x7f.1
localhost a.localhost localhost.localdomain localhost. LOCALHOST ip6-localhost
0.0.0.0 0.1.2.3 0 169.254.169.254 224.0.0.1 239.255.255.250 255.255.255.255
::1 [::1] 0:0:0:0:0:0:0:1 :: fe80::1 ff02::1 ::ffff:127.0.0.1 ::ffff:7f00:1
10.0.0 10.0.0.256 service.7
"""
"""The edge itself, link-local, multicast, reserved, and what looks like an address and is none."""
BAD = [
    Bad(("name",), "Finance", "apis.0.name", "allowed: the name of an API"),
    Bad(("version",), "1/0", "apis.0.version", "allowed: a version such as 1.0.0"),
    Bad(("state",), "RETIRED", "apis.0.state", 'allowed: "ENABLED", "DEPRECATED", "DISABLED"'),
    Bad(("deprecated_on",), "2026-11-22", "apis.0.deprecated_on", "a time in UTC such as 2026-11-22T13:41:47Z"),
    Bad(("deprecated_on",), "2026-02-30T00:00:00Z", "apis.0.deprecated_on", "allowed: a time in UTC"),
    Bad(("deprecated_on",), 1735689600, "apis.0.deprecated_on", "allowed: a time in UTC"),
    Bad(("owner",), "", "apis.0.owner", "allowed: a team or person"),
    Bad(("git_commit",), "main", "apis.0.git_commit", "allowed: a Git commit: 40 or 64 hexadecimal digits"),
    Bad(("upstream", "host"), "http://upstream", "apis.0.upstream.host", "without a scheme"),
    *(
        Bad(("upstream", "host"), host, "apis.0.upstream.host", "not the edge itself (localhost, 127.0.0.0/8")
        for host in NO_SERVICES.split()
    ),
    Bad(("upstream", "port"), 0, "apis.0.upstream.port", "a TCP port number from 1 to 65,535"),
    Bad(("upstream", "scheme"), "http", "apis.0.upstream.scheme", "This key is not known."),
    Bad(("operations",), [], "apis.0.operations", "There is no operation."),
    Bad((*OPERATION, "method"), "get", "apis.0.operations.0.method", 'allowed: "GET", "PUT"'),
    Bad((*OPERATION, "path"), "v1", "apis.0.operations.0.path", "allowed: a path such as /v1/records/{id}"),
    Bad((*OPERATION, "path"), "/v1/../admin?x=", "apis.0.operations.0.path", "allowed: a path such as"),
    Bad((*OPERATION, "path"), "/v1/{a}{b}", "apis.0.operations.0.path", "allowed: a path such as"),
    Bad((*OPERATION, "roles"), [], "apis.0.operations.0.roles", "The list is empty, so nobody could call it."),
    Bad((*OPERATION, "roles"), ["a", "a"], "apis.0.operations.0.roles.1", "a is named twice."),
    Bad((*OPERATION, "minimum_tls"), "1.1", "apis.0.operations.0.minimum_tls", 'allowed: "1.2", "1.3"'),
    Bad((*OPERATION, "attributes"), {"department": []}, "attributes.department", "The list is empty"),
    Bad(
        (*OPERATION, "path"),
        "/v1/finance/records/{other}",
        "apis.0.operations.1",
        "GET /v1/finance/records/{record} is apis.0.operations.0 already.",
    ),
]


def _write(environment: str, *apis: dict[str, Any]) -> Path:
    path = apis_file(environment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"apis": apis}), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _changed(bad: Bad) -> dict[str, Any]:
    api = copy.deepcopy(SAMPLE)
    part: Any = api
    for key in bad.path[:-1]:
        part = part[key]
    part[bad.path[-1]] = bad.value
    return api


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{'.'.join(map(str, bad.path))}={bad.value}")
def test_a_bad_value_is_refused_with_its_path(bad: Bad) -> None:
    path = _write("local", _changed(bad))
    with pytest.raises(ConfigurationError) as refused:
        read_apis("local")
    said = str(refused.value)
    assert str(path) in said
    assert bad.where in said
    assert bad.said in said


@pytest.mark.parametrize(
    "host",
    ["10.77.0.9", "1.1.1.1", "223.255.255.1", "service", "service-7.example", "7.example", "my-localhost.example"],
)
def test_a_service_elsewhere_is_allowed(host: str) -> None:
    _write("local", {**SAMPLE, "upstream": {"host": host, "port": 8080}})
    (api,) = read_apis("local").apis
    assert api.upstream.host == host


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (SAMPLE, "finance 1.0.0 is apis.0 already."),
        ({**SECOND, "name": "other", "operations": SAMPLE["operations"]}, "is apis.0.operations.0 already."),
    ],
)
def test_what_stands_there_twice_is_refused(second: dict[str, Any], said: str) -> None:
    _write("local", SAMPLE, second)
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.")):
        read_apis("local")


def test_a_fleet_that_never_exported_has_no_api() -> None:
    assert read_apis("local") == Apis()


def test_what_is_not_json_is_refused_with_what_to_do() -> None:
    _write("local").write_text("apis:", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_apis("local")
    assert refused.value.remedy == "palisade registry export local"


def test_the_same_apis_are_written_as_the_same_bytes_and_read_back() -> None:
    turned = {**SAMPLE, "operations": SAMPLE["operations"][::-1]}
    texts = {Apis.model_validate({"apis": apis}).text() for apis in ([SAMPLE, SECOND], [SECOND, turned])}
    (text,) = texts
    apis_file("local").parent.mkdir(parents=True)
    apis_file("local").write_text(text, encoding="utf-8")
    read = read_apis("local")
    assert read.text() == text
    assert [(api.name, api.version) for api in read.apis] == [("finance", "1.0.0"), ("finance", "2.0.0")]
    assert read.apis[0].operations[1].minimum_tls == "1.2"
