"""The sections ``tokens`` and ``access``: what they must not say, and what they mean where they are absent."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from configuration_samples import PROJECT_ROOT, REMOVED, WriteProject, changed

from palisade.access_path.model import Endpoint, access_path, tokens_of
from palisade.config import load_configuration
from palisade.errors import ConfigurationError
from palisade.project import Project
from palisade.registry.model import Apis

TOKENS = {"issuer": "https://login.example/realm", "jwks_uri": "https://login.example:8443/keys"}
URL = "an address such as https://vault.example:8200/v1/identity/oidc, without user, query or fragment"
FILE = "the path of a PEM file, absolute or from the home directory (~/vault-ca.crt)"
HEADER = "the name of a header in lower case: letters, digits and -, a letter first"


class Bad(NamedTuple):
    """One value that is refused, and the whole message."""

    path: str
    value: Any
    what: str
    allowed: str
    where: str = ""


BAD = [
    Bad("tokens.issuer", "http://login.example", "'http://login.example' is not allowed.", URL),
    Bad("tokens.issuer", "login.example", "'login.example' is not allowed.", URL),
    Bad("tokens.issuer", REMOVED, "This key is missing.", URL),
    Bad("tokens.issuer", "https://a@login.example", "'https://a@login.example' is not allowed.", URL),
    Bad("tokens.jwks_uri", "https://login.example/keys?a=b", "'https://login.example/keys?a=b' is not allowed.", URL),
    Bad("tokens.jwks_uri", "https://login.example/#keys", "'https://login.example/#keys' is not allowed.", URL),
    Bad("tokens.jwks_uri", "https://:8443/keys", "'https://:8443/keys' is not allowed.", URL),
    Bad("tokens.jwks_uri", 7, "7 is not allowed.", URL),
    Bad("tokens.audience", "", "'' is not allowed.", "a name: letters, digits and . _ : / -"),
    Bad("tokens.audience", "a b", "'a b' is not allowed.", "a name: letters, digits and . _ : / -"),
    Bad("tokens.ca_file", "ca.crt", "'ca.crt' is not allowed.", FILE),
    Bad("tokens.secret", "x", "This key is not known.", "issuer, jwks_uri, networks, ca_file, audience"),
    Bad("access.required_headers", ["X-Request-ID"], "'X-Request-ID' is not allowed.", HEADER, "0"),
    Bad("access.required_headers", ["a_b"], "'a_b' is not allowed.", HEADER, "0"),
    Bad("access.required_headers", [":path"], "':path' is not allowed.", HEADER, "0"),
    Bad("access.required_headers", "x-request-id", "'x-request-id' is not allowed.", f"a list; each entry: {HEADER}"),
    Bad("access.required_headers", ["x-a", "x-a"], "x-a is named twice.", "each header once", "1"),
    Bad(
        "access.required_headers",
        ["authorization"],
        "authorization is always mandatory: without a token the answer is 401, not 400.",
        "the names of other headers",
        "0",
    ),
    *(
        Bad(
            "access.required_headers",
            [name],
            f"{name} is set by Envoy, so a client cannot bring it.",
            "no name that starts with x-palisade-, x-envoy-, x-forwarded-",
            "0",
        )
        for name in ("x-palisade-tls-version", "x-envoy-internal", "x-forwarded-for")
    ),
    Bad(
        "access.policy_timeout_milliseconds",
        5,
        "5 is not allowed.",
        "a whole number of milliseconds from 10 to 1,000",
    ),
    Bad(
        "access.policy_timeout_milliseconds",
        1001,
        "1001 is not allowed.",
        "a whole number of milliseconds from 10 to 1,000",
    ),
    Bad("access.request_timeout_seconds", 0, "0 is not allowed.", "a whole number of seconds from 1 to 300"),
    Bad("access.decision_log", "opa", "'opa' is not allowed.", '"envoy", "envoy-and-opa"'),
    Bad("access.maximum_connections", 99, "99 is not allowed.", "a whole number of connections from 100 to 100,000"),
    Bad("access.envoy_heap_mib", "1Gi", "'1Gi' is not allowed.", "a whole number of MiB from 64 to 8,192"),
    Bad(
        "access.failure_mode",
        "allow",
        "This key is not known.",
        "required_headers, policy_timeout_milliseconds, request_timeout_seconds, decision_log, maximum_connections, "
        "envoy_heap_mib",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=[f"{bad.path}={bad.value}" for bad in BAD])
def test_a_bad_value_is_refused_with_the_exact_message(bad: Bad, write_project: WriteProject) -> None:
    document = changed(("tokens", dict(TOKENS)), ("access", {}), (bad.path, bad.value))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(document), "dev")
    error = refused.value
    path = ".".join(part for part in (bad.path, bad.where) if part)
    assert (error.where or "").startswith(f"Pulumi.dev.yaml: fleet.{path} (line ")
    assert (error.problem, error.allowed) == (bad.what, bad.allowed)


def test_what_is_said_counts(write_project: WriteProject) -> None:
    document = changed(("tokens", dict(TOKENS)), ("access", {"required_headers": ["x-request-id", "x-tenant"]}))
    model = access_path(load_configuration(write_project(document), "dev"), Apis())
    assert model.issuer == Endpoint("login.example", 8443)
    assert (model.tokens.issuer, model.tokens.audience) == ("https://login.example/realm", "palisade-api")
    assert model.access.required_headers == ("x-request-id", "x-tenant")


def test_a_fleet_without_tokens_takes_those_of_its_vault() -> None:
    model = access_path(load_configuration(Project(PROJECT_ROOT), "local"), Apis())
    assert model.tokens.issuer == "https://10.77.0.41:8200/v1/identity/oidc"
    assert model.tokens.jwks_uri == "https://10.77.0.41:8200/v1/identity/oidc/.well-known/keys"


def test_a_fleet_without_tokens_and_without_vault_is_refused(write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        tokens_of(load_configuration(write_project(changed()), "dev"))
    error = refused.value
    assert (error.problem, error.where) == (
        "Nothing says whose tokens the edge accepts.",
        "Pulumi.dev.yaml: fleet.tokens",
    )
    assert error.allowed == "a section tokens with issuer and jwks_uri, or a host of the group vault"
