"""The sections of the fleet configuration about the access path: whose tokens count, and what a request must bring."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from palisade.config_values import ServerNetwork, matches
from palisade.config_vault import CertificateFile
from palisade.validation import Allowed, Problem, RefusedError, Section, whole_number

TOKEN_HEADER = "authorization"  # noqa: S105 - the name of a header
OWN_HEADERS = "x-palisade-"
"""Headers with this prefix are Envoy's own: what a client sends under such a name is taken away."""
_PROXY_HEADERS = ("x-envoy-", "x-forwarded-")

_URL = r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?"


def _headers(values: tuple[str, ...]) -> tuple[str, ...]:
    problems = []
    for number, value in enumerate(values):
        if value in values[:number]:
            problems.append(Problem((number,), f"{value} is named twice.", "each header once"))
        elif value == TOKEN_HEADER:
            what = f"{value} is always mandatory: without a token the answer is 401, not 400."
            problems.append(Problem((number,), what, "the names of other headers"))
        elif value.startswith((OWN_HEADERS, *_PROXY_HEADERS)):
            what = f"{value} is set by Envoy, so a client cannot bring it."
            problems.append(Problem((number,), what, f"no name that starts with {OWN_HEADERS}, x-envoy-, x-forwarded-"))
    if problems:
        raise RefusedError(*problems)
    return values


HttpsUrl = Annotated[
    str,
    matches(_URL, "an address such as https://vault.example:8200/v1/identity/oidc, without user, query or fragment"),
]
Audience = Annotated[str, matches(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", "a name: letters, digits and . _ : / -")]
HeaderName = Annotated[
    str, matches(r"[a-z][a-z0-9-]{0,62}", "the name of a header in lower case: letters, digits and -, a letter first")
]
HeaderNames = Annotated[tuple[HeaderName, ...], AfterValidator(_headers)]
PolicyMilliseconds = Annotated[int, whole_number(10, 1_000, "milliseconds")]
RequestSeconds = Annotated[int, whole_number(1, 300, "seconds")]
Connections = Annotated[int, whole_number(100, 100_000, "connections")]
HeapMebibytes = Annotated[int, whole_number(64, 8_192, "MiB")]


class DecisionLog(StrEnum):
    """Who writes each decision down."""

    ENVOY = "envoy"
    """Envoy, in its record of the request: the decision's ID, rule, route and bundle."""
    ENVOY_AND_OPA = "envoy-and-opa"
    """OPA as well, in a log of its own. That takes four tenths of its processor time."""


DecisionLogChoice = Annotated[DecisionLog, Allowed('"envoy", "envoy-and-opa"', types=(str, DecisionLog))]


class Tokens(Section):
    """Whose bearer tokens the edge accepts (OpenID Connect)."""

    issuer: HttpsUrl
    """The claim ``iss`` of every token, character by character."""
    jwks_uri: HttpsUrl
    """Where the issuer publishes its public keys; its certificate is checked with ``ca_file``."""
    networks: tuple[ServerNetwork, ...] = ()
    """The addresses behind the name in that URL: registry pods may connect there."""
    ca_file: CertificateFile | None = None
    """Who signed the certificate of that address. Default: the root CA of the fleet, and what this machine trusts or,
    if the address is the Vault's, ``vault.ca_file``."""
    audience: Audience = "palisade-api"
    """A token counts when its claim ``aud`` names this."""


class Access(Section):
    """What a request must bring, and how much the edge carries."""

    required_headers: HeaderNames = ("x-request-id",)
    """Headers without which a request is refused with 400."""
    policy_timeout_milliseconds: PolicyMilliseconds = 250
    """How long OPA may take for a decision, in milliseconds; after that the answer is 503."""
    request_timeout_seconds: RequestSeconds = 15
    """How long the service behind an API may take for its answer, in seconds."""
    decision_log: DecisionLogChoice = DecisionLog.ENVOY
    """Who writes each decision down: Envoy in its record of the request, or OPA as well, as a second witness."""
    maximum_connections: Connections = 20_000
    """How many connections one Envoy keeps open; further ones are refused."""
    envoy_heap_mib: HeapMebibytes = 1_024
    """The memory that Envoy may use, in MiB; near it Envoy refuses requests, then connections."""


def host_of(url: str) -> str:
    """The host of such an address."""
    return _parts(url)[0]


def port_of(url: str) -> int:
    """The TCP port of such an address."""
    return int(_parts(url)[1] or 443)


def _parts(url: str) -> tuple[str, str | None]:
    found = re.match(r"https://([^/:]+)(?::([0-9]+))?", url)
    if found is None:
        raise ValueError(url)
    return found.group(1), found.group(2)
