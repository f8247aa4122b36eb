"""What the registry knows about the APIs of a fleet: the one document that Envoy, OPA and people are told.

``palisade registry export`` writes it from what is published; a fleet without the file has no API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, model_validator

from palisade.config_values import Port, TlsVersion, TlsVersionChoice, matches
from palisade.errors import ConfigurationError
from palisade.project import fleet_state_directory
from palisade.validation import Allowed, Problem, RefusedError, Section, refuse, validate

APIS_FILE = "apis.json"
"""The file in the state of a fleet."""

_MOMENT_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_SEGMENT = r"(?:[A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\})"
_PARAMETER = re.compile(r"\{[^}]*\}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_OWN_NAMES = {"localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
_NO_SERVICES = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
"""This machine, link-local (which cloud providers tell secrets on), multicast and what is reserved (RFC 6890)."""


class LifecycleState(StrEnum):
    """Where a version of an API is in its life, in the words of the registry."""

    ENABLED = "ENABLED"
    """It is served."""
    DEPRECATED = "DEPRECATED"
    """It is served, and each answer says that it will end."""
    DISABLED = "DISABLED"
    """It is gone: its callers are told so, with 410."""


class Method(StrEnum):
    """The HTTP methods that OpenAPI describes."""

    GET = "GET"
    PUT = "PUT"
    POST = "POST"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"
    HEAD = "HEAD"
    PATCH = "PATCH"
    TRACE = "TRACE"


def exactness(path: str) -> tuple[bool, ...]:
    """Sorts templates of one length that fit the same path: the first text beats a parameter, from the left.

    The policy decides by the first one that fits, and Envoy routes by it; the names of parameters have no say. Two of
    one length that are equal here never fit the same path, or they are one operation.
    """
    return tuple(segment.startswith("{") for segment in path.split("/"))


def _is_service(host: str) -> bool:
    """Whether a service may be there: never on the edge itself, where Envoy's administration and the registry listen.

    What ends with a number is an address, so no other spelling of one (``127.1``, ``0x7f000001``) is read as a name.
    """
    labels = host.split(".")
    if _HOST.fullmatch(host) is None or _OWN_NAMES & set(labels):
        return False
    if _NUMBER.fullmatch(labels[-1]) is None:
        return True
    try:
        address = IPv4Address(host)
    except AddressValueError:
        return False
    return not any(address in network for network in _NO_SERVICES)


def _is_moment(text: str) -> bool:
    try:
        return moment(text).strftime(_MOMENT_FORMAT) == text
    except ValueError:
        return False


def moment(text: str) -> datetime:
    """What a time in UTC, as the registry writes it, means.

    Raises:
        ValueError: it is written otherwise.
    """
    return datetime.strptime(text, _MOMENT_FORMAT).replace(tzinfo=UTC)


def _one_of(choices: type[StrEnum]) -> Allowed:
    return Allowed(", ".join(f'"{choice}"' for choice in choices), types=(str, choices))


def _some_once(values: tuple[str, ...]) -> tuple[str, ...]:
    problems = [
        Problem((number,), f"{value} is named twice.", "each entry once")
        for number, value in enumerate(values)
        if value in values[:number]
    ]
    if not values:
        problems.append(Problem((), "The list is empty, so nobody could call it.", "at least one entry"))
    if problems:
        raise RefusedError(*problems)
    return values


StateChoice = Annotated[LifecycleState, _one_of(LifecycleState)]
MethodChoice = Annotated[Method, _one_of(Method)]
ApiName = Annotated[
    str, matches(r"[a-z][a-z0-9-]{0,62}", "the name of an API: lower-case letters, digits and -, a letter first")
]
ApiVersion = Annotated[
    str, matches(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,63}", "a version such as 1.0.0: letters, digits and . _ + -")
]
Owner = Annotated[
    str, matches(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,127}", "a team or person: letters, digits, blanks and . _ @ / -")
]
GitCommit = Annotated[str, matches(r"[0-9a-f]{40}|[0-9a-f]{64}", "a Git commit: 40 or 64 hexadecimal digits")]
Moment = Annotated[str, Allowed("a time in UTC such as 2026-11-22T13:41:47Z", test=_is_moment)]
UpstreamHost = Annotated[
    str,
    Allowed(
        "a name of DNS or an IPv4 address, without a scheme; not the edge itself (localhost, 127.0.0.0/8, 0.0.0.0/8), "
        "not link-local (169.254.0.0/16) and not multicast or reserved (224.0.0.0/3)",
        test=_is_service,
    ),
]
PathTemplate = Annotated[
    str, matches(rf"/|(?:/{_SEGMENT})+", "a path such as /v1/records/{id}: segments of letters, digits and . _ ~ -")
]
Word = Annotated[str, matches(r"[A-Za-z][A-Za-z0-9_.:-]{0,62}", "a word: letters, digits and _ . : -, a letter first")]
Words = Annotated[tuple[Word, ...], AfterValidator(_some_once)]


class Upstream(Section):
    """The service behind an API."""

    host: UpstreamHost
    """Its name or address."""
    port: Port
    """Its TCP port."""


class Operation(Section):
    """One thing that an API can be asked, and who may ask it."""

    method: MethodChoice
    """The HTTP method."""
    path: PathTemplate
    """The path; ``{name}`` stands for exactly one segment."""
    roles: Words
    """A caller needs one of these."""
    minimum_tls: TlsVersionChoice = TlsVersion.TLS_1_2
    """The lowest TLS version that it may be called over."""
    attributes: Mapping[Word, Words] = {}
    """Claims that the caller's token must have beside the role: for each, one of these values."""

    @property
    def place(self) -> tuple[str, str]:
        """What tells it from every other operation: the names of parameters do not."""
        return (self.method, _PARAMETER.sub("{}", self.path))


class Api(Section):
    """One version of an API."""

    name: ApiName
    """Its name, the same for all versions."""
    version: ApiVersion
    """The version that its OpenAPI document says."""
    state: StateChoice
    """Where it is in its life."""
    deprecated_on: Moment | None = None
    """If it is deprecated, since when; absent where nobody knows, and then its answers do not say that it will end."""
    owner: Owner
    """Who answers for it."""
    git_commit: GitCommit
    """The commit that its document was published from."""
    upstream: Upstream
    """The service behind it."""
    operations: tuple[Operation, ...]
    """What it can be asked."""

    @model_validator(mode="after")
    def _can_be_asked_something(self) -> Api:
        if not self.operations:
            refuse([Problem(("operations",), "There is no operation.", "at least one operation")])
        return self


class Apis(Section):
    """All APIs of a fleet."""

    apis: tuple[Api, ...] = ()
    """Every version that is published, in whatever state."""

    @model_validator(mode="after")
    def _each_once(self) -> Apis:
        refuse(_twice(self.apis))
        return self

    @property
    def upstream_ports(self) -> tuple[int, ...]:
        """The ports of the services behind the APIs that are served, sorted."""
        return tuple(sorted({api.upstream.port for api in self.apis if api.state is not LifecycleState.DISABLED}))

    def text(self) -> str:
        """The document as JSON: the same APIs give the same bytes."""
        ordered = sorted(self.model_dump(mode="json")["apis"], key=lambda api: (api["name"], api["version"]))
        for api in ordered:
            api["operations"].sort(key=lambda operation: (operation["path"], operation["method"]))
        return json.dumps({"apis": ordered}, indent=2, sort_keys=True) + "\n"


def apis_file(environment: str) -> Path:
    """Where the APIs of an environment are written down."""
    return fleet_state_directory(environment) / APIS_FILE


def read_apis(environment: str) -> Apis:
    """The APIs of an environment as they were last exported; none if they never were.

    Raises:
        ConfigurationError: the file is not what ``palisade registry export`` writes.
    """
    path = apis_file(environment)
    if not path.exists():
        return Apis()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "The file is not JSON.", where=str(path), remedy=f"palisade registry export {environment}"
        ) from error
    return validate(Apis, document, file=str(path), at="document", lines={})


def _twice(apis: tuple[Api, ...]) -> Iterator[Problem]:
    versions: dict[tuple[str, str], int] = {}
    places: dict[tuple[str, str], str] = {}
    for number, api in enumerate(apis):
        here = f"apis.{number}"
        if (first := versions.setdefault((api.name, api.version), number)) != number:
            yield Problem(("apis", number), f"{api.name} {api.version} is apis.{first} already.", "each version once")
            continue
        for position, operation in enumerate(api.operations):
            there = f"{here}.operations.{position}"
            if (taken := places.setdefault(operation.place, there)) != there:
                what = f"{operation.method} {operation.path} is {taken} already."
                yield Problem(("apis", number, "operations", position), what, "each operation once in the fleet")
