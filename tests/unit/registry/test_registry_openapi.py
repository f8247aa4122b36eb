"""OpenAPI documents: what Palisade reads in them, and what it refuses, with path and line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from palisade.errors import ConfigurationError
from palisade.registry.model import LifecycleState
from palisade.registry.openapi import parse_description, read_description

EXAMPLE = Path(__file__).parents[3] / "policies/api/examples/finance.yaml"


class Bad(NamedTuple):
    """One replacement in the example, and what the error says."""

    before: str
    after: str
    where: str
    said: str


RECORDS = "document.paths./v1/finance/records.get"
BAD = [
    Bad("openapi: 3.1.1", "swagger: '2.0'", "document.openapi", "allowed: a version 3.1.x of the OpenAPI"),
    Bad("openapi: 3.1.1", "openapi: 3.0.3", "document.openapi (line 2)", "'3.0.3' is not allowed."),
    Bad("openapi: 3.1.1", "openapi: 3.1", "document.openapi (line 2)", "3.1 is not allowed."),
    Bad("  version: 1.0.0\n", "", "document.info.version (line 3)", "allowed: a version such as 1.0.0"),
    Bad("x-palisade-name: finance", "", "document.x-palisade-name", "This key is missing."),
    Bad("x-palisade-owner: finance-platform\n", "", "document.x-palisade-owner", "allowed: a team or person"),
    Bad("x-palisade-owner:", "x-palisade-owners:", "document.x-palisade-owners (line 8)", "mean x-palisade-owner?"),
    Bad("port: 8080", "port: 8080, tls: on", "document.x-palisade-upstream.tls (line 9)", "This key is not known."),
    Bad(
        "host: upstream.palisade-registry.svc.cluster.local",
        "host: 127.0.0.1",
        "document.x-palisade-upstream.host (line 9)",
        "not the edge itself",
    ),
    Bad("port: 8080", "port: 80800", "document.x-palisade-upstream.port (line 9)", "80800 is not allowed."),
    Bad("      x-palisade-roles: [compliance_officer]\n", "", f"{RECORDS}.x-palisade-roles", "This key is missing."),
    Bad("roles: [compliance_officer]", "roles: []", f"{RECORDS}.x-palisade-roles (line 17)", "nobody could call it"),
    Bad('tls: "1.3"', "tls: 1.3", f"{RECORDS}.x-palisade-minimum-tls (line 18)", 'allowed: "1.2", "1.3"'),
    Bad("{department: [finance]}", "{department: all}", "x-palisade-attributes.department", "'all' is not allowed."),
    Bad(
        "      x-palisade-roles",
        "      x-palisade-tls: x\n      x-palisade-roles",
        f"{RECORDS}.x-palisade-tls",
        "not known",
    ),
    Bad("  /v1/finance/summary:", "  v1:", "document.paths.v1", "allowed: a path such as /v1/records/{id}"),
    Bad(
        "security:", "servers: [{url: https://a.example/v1}]\nsecurity:", "document.servers.0.url", "before every path"
    ),
    Bad(
        "  /v1/finance/summary:",
        "  /v1/finance/records/{other}:",
        "document.paths./v1/finance/records/{other}.get",
        "is GET /v1/finance/records/{record} under another name.",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.before.strip()}->{bad.after.strip()}")
def test_a_bad_document_is_refused_with_path_and_line(bad: Bad, tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert bad.before in text
    path = tmp_path / "finance.yaml"
    path.write_text(text.replace(bad.before, bad.after, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_description(path)
    said = str(refused.value)
    assert "values are refused" not in said, "one mistake is one problem"
    assert str(path) in said
    assert bad.where in said
    assert bad.said in said


def test_a_document_without_operations_is_refused() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    head = text[: text.index("paths:")]
    with pytest.raises(ConfigurationError, match="No operation is described"):
        parse_description(f"{head}paths: {{}}\n", source="a document")


def test_the_example_says_whose_it_is_and_who_may_call_it() -> None:
    description = read_description(EXAMPLE)
    api = description.api(state=LifecycleState.ENABLED, git_commit="0" * 40)
    assert (api.name, api.version, api.owner) == ("finance", "1.0.0", "finance-platform")
    said = {
        f"{one.method} {one.path}": (one.roles, str(one.minimum_tls), dict(one.attributes)) for one in api.operations
    }
    assert said == {
        "GET /v1/finance/records": (("compliance_officer",), "1.3", {}),
        "GET /v1/finance/records/{record}": (("compliance_officer",), "1.3", {}),
        "GET /v1/finance/summary": (("analyst", "compliance_officer"), "1.2", {"department": ("finance",)}),
    }
    assert parse_description(description.text, source="again") == description
