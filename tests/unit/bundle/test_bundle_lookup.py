"""The tables that the policy looks requests up in."""

from __future__ import annotations

from typing import Any

import pytest

from palisade.bundle.lookup import lookup
from palisade.config_values import TlsVersion
from palisade.errors import ConfigurationError
from palisade.registry.model import Apis, exactness

API: dict[str, Any] = {
    "name": "finance",
    "version": "1.0.0",
    "state": "ENABLED",
    "owner": "finance-platform",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "upstream": {"host": "upstream.example", "port": 8080},
}


def registry(*operations: dict[str, Any], minimum: TlsVersion = TlsVersion.TLS_1_2, **changed: Any) -> dict[str, Any]:
    complete = [{"method": "GET", "roles": ["reader"], **operation} for operation in operations]
    apis = Apis.model_validate({"apis": [{**API, **changed, "operations": complete}]})
    found: dict[str, Any] = lookup(apis, ["x-request-id"], minimum)["registry"]
    return found


def test_no_api() -> None:
    assert lookup(Apis(), ["x-request-id", "x-purpose"], TlsVersion.TLS_1_3) == {
        "registry": {"exact": {}, "templates": {}, "shapes": {}},
        "required_headers": [
            {"name": "x-purpose", "pattern": "^[!-~]"},
            {"name": "x-request-id", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
        ],
    }


def test_an_operation() -> None:
    attributes = {"department": ["finance", "audit"]}
    found = registry({"path": "/v1/records", "roles": ["b", "a"], "minimum_tls": "1.3", "attributes": attributes})
    assert found["exact"] == {
        "GET": {
            "/v1/records": {
                "is_served": True,
                "route": "/v1/records",
                "place": "/v1/records",
                "roles": {"a": True, "b": True},
                "attributes": {"department": {"audit": True, "finance": True}},
                "tls_versions": {"TLSv1.3": True},
                "response_headers": {},
            }
        }
    }


def test_no_operation_goes_below_the_minimum_of_the_edge() -> None:
    def versions(minimum: TlsVersion) -> list[str]:
        return list(registry({"path": "/v1"}, minimum=minimum)["exact"]["GET"]["/v1"]["tls_versions"])

    assert versions(TlsVersion.TLS_1_2) == ["TLSv1.2", "TLSv1.3"]
    assert versions(TlsVersion.TLS_1_3) == ["TLSv1.3"]


def test_an_api_that_is_gone_is_not_served() -> None:
    served = {
        state: registry({"path": "/v1"}, state=state)["exact"]["GET"]["/v1"]["is_served"]
        for state in ("ENABLED", "DEPRECATED", "DISABLED")
    }
    assert served == {"ENABLED": True, "DEPRECATED": True, "DISABLED": False}


@pytest.mark.parametrize(
    ("state", "deprecated_on", "expected"),
    [
        ("ENABLED", None, {}),
        ("ENABLED", "2025-01-01T00:00:00Z", {}),
        ("DEPRECATED", "2025-01-01T00:00:00Z", {"Deprecation": "@1735689600"}),
        ("DEPRECATED", None, {}),
        ("DISABLED", "2025-01-01T00:00:00Z", {}),
    ],
)
def test_only_an_api_that_is_deprecated_since_a_known_day_says_so(
    state: str, deprecated_on: str | None, expected: dict[str, str]
) -> None:
    found = registry({"path": "/v1"}, state=state, deprecated_on=deprecated_on)
    assert found["exact"]["GET"]["/v1"]["response_headers"] == expected


def test_templates_have_shapes_by_the_number_of_parts_the_most_exact_first() -> None:
    paths = ["/v1/{a}/c", "/v1/b/{c}", "/v1/x/{other}", "/{a}", "/v1/b/c"]
    found = registry(*({"path": path} for path in paths))
    assert list(found["exact"]["GET"]) == ["/v1/b/c"]
    assert sorted(found["templates"]["GET"]) == ["/v1/b/{}", "/v1/x/{}", "/v1/{}/c", "/{}"]
    assert found["templates"]["GET"]["/v1/x/{}"]["route"] == "/v1/x/{other}"
    assert all(one["place"] == key for key, one in found["templates"]["GET"].items())
    assert found["shapes"] == {"GET": [[], [], [[_hole(1)]], [], [[_hole(3)], [_hole(2)]]]}


def _hole(position: int) -> dict[str, str]:
    return {"op": "replace", "path": f"/{position}", "value": "{}"}


def test_text_is_more_exact_than_a_parameter_from_the_left() -> None:
    paths = ["/{a}/{b}", "/{a}/y", "/x/{b}", "/x/y"]
    assert sorted(paths, key=exactness) == ["/x/y", "/x/{b}", "/{a}/y", "/{a}/{b}"]


@pytest.mark.parametrize("path", ["/v1/../admin", "/v1/.", "/../{a}"])
def test_a_path_that_envoy_would_change_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        registry({"path": path})
    assert raised.value.lines() == [
        ("error", f"GET {path} has a dot segment, which Envoy would resolve."),
        ("where", "finance 1.0.0"),
        ("allowed", "a path without the segments . and .."),
    ]
