"""Of templates that fit the same path, Envoy routes to the operation that the policy decides on."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from palisade.access_path.model import AccessPath
from palisade.access_path.rendering import render_envoy
from palisade.bundle.lookup import lookup
from palisade.config_access import Access, Tokens
from palisade.config_values import TlsVersion
from palisade.registry.model import Apis

TOKENS = Tokens(issuer="https://login.example", jwks_uri="https://login.example/keys")
TEXTS = ("v1", "users", "list", "~")
NAMES = ("a", "id", "org", "resource", "tenant", "zone")
METHODS = ("GET", "PUT")
Operation = tuple[str, str]
"""Method and path."""


def registered(operations: list[Operation]) -> Apis:
    """Each operation in an API of its own, with a service of its own; of one twice the first counts."""
    once = {(method, re.sub(r"\{\w+\}", "{}", path)): (method, path) for method, path in reversed(operations)}
    apis = [
        {
            "name": f"api-{number}",
            "version": "1.0.0",
            "state": "ENABLED",
            "owner": "tests",
            "git_commit": "0" * 40,
            "upstream": {"host": f"api-{number}.example", "port": 8080},
            "operations": [{"method": method, "path": path, "roles": ["any"]}],
        }
        for number, (method, path) in enumerate(once.values())
    ]
    return Apis.model_validate({"apis": apis})


def routed(apis: Apis, asked: list[Operation]) -> list[str]:
    """What Envoy does: the first route whose match holds."""
    files = render_envoy(AccessPath("test", TlsVersion.TLS_1_2, TOKENS, Access(), apis))
    (resource,) = yaml.safe_load(files["routes.yaml"])["resources"]
    routes = resource["virtual_hosts"][0]["routes"]

    def holds(match: dict[str, Any], method: str, path: str) -> bool:
        if "prefix" in match:
            return path.startswith(match["prefix"])
        (header,) = match["headers"]
        regex = match.get("safe_regex", {}).get("regex")
        fits = path == match["path"] if regex is None else re.fullmatch(regex, path) is not None
        return fits and method == header["string_match"]["exact"]

    return [next(route["name"] for route in routes if holds(route["match"], *one)) for one in asked]


def decided(apis: Apis, asked: list[Operation]) -> list[str]:
    """What ``compliance.rego`` does with the tables of the bundle, in the words of Python."""
    tables = lookup(apis, [], TlsVersion.TLS_1_2)["registry"]

    def route(method: str, path: str) -> str:
        found = tables["exact"].get(method, {}).get(path)
        if found is None:
            shapes = tables["shapes"].get(method, [])
            length = path.count("/") + 1
            keys = (_patched(path, shape) for shape in (shapes[length] if length < len(shapes) else []))
            templates = tables["templates"].get(method, {})
            found = next((templates[key] for key in keys if key in templates), {"route": "unregistered"})
        return str(found["route"])

    return [route(*one) for one in asked]


def _patched(path: str, shape: list[dict[str, str]]) -> str:
    segments = path.split("/")
    for one in shape:
        segments[int(one["path"].removeprefix("/"))] = one["value"]
    return "/".join(segments)


@pytest.mark.parametrize(
    ("templates", "path", "expected"),
    [
        (("/v1/{tenant}/users/{id}", "/v1/{org}/{resource}/list"), "/v1/acme/users/list", "/v1/{tenant}/users/{id}"),
        (("/v1/{b}/users/{id}", "/v1/{z}/{a}/list"), "/v1/acme/users/list", "/v1/{b}/users/{id}"),
        (("/{kind}/x", "/~/{id}"), "/~/x", "/~/{id}"),
        (("/v1/{id}", "/v1/list"), "/v1/list", "/v1/list"),
    ],
)
def test_names_of_parameters_and_signs_do_not_decide(templates: tuple[str, ...], path: str, expected: str) -> None:
    apis = registered([("GET", template) for template in templates])
    asked = [("GET", path)]
    assert (routed(apis, asked), decided(apis, asked)) == ([expected], [expected])


_TEMPLATES = st.lists(st.sampled_from([*TEXTS, *(f"{{{name}}}" for name in NAMES)]), min_size=1, max_size=4)
_PATHS = st.lists(st.sampled_from([*TEXTS, "acme"]), min_size=1, max_size=4)


def _operations(segments: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[Operation]]:
    path = segments.map(lambda parts: "/" + "/".join(parts))
    return st.lists(st.tuples(st.sampled_from(METHODS), path), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(_operations(_TEMPLATES), _operations(_PATHS))
def test_envoy_and_the_policy_choose_the_same_operation(operations: list[Operation], asked: list[Operation]) -> None:
    apis = registered(operations)
    assert routed(apis, asked) == decided(apis, asked)
