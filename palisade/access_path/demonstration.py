"""The story of the access path: requests that are answered in different ways, each with the reason and its record."""

from __future__ import annotations

import http.client
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palisade.access_path.rendering import TLS_VERSION_HEADER
from palisade.config_values import TlsVersion

OFFICER = "compliance-officer"
ANALYST = "analyst"
RECORDS = "/v1/finance/records"
ANSWER_SECONDS = 10
RECORD_SECONDS = 8.0
"""How long a record may take from Envoy to whoever reads the pod's log."""
ROUTED_SECONDS = 120.0
"""How soon a new route is served: kubelets look for files once a minute, and OPA for a bundle twice a minute."""
BACK_SECONDS = 5.0
"""How soon requests must be answered again after OPA is back."""
_LOOK_SECONDS = 0.25
_VERSIONS = {TlsVersion.TLS_1_2: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS_1_3: ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Request:
    """One request of the story."""

    title: str
    status: int
    """The answer that it must get."""
    why: str
    path: str = RECORDS
    person: str = OFFICER
    """Whose token it brings; empty for none."""
    tls: TlsVersion = TlsVersion.TLS_1_3
    has_request_id: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    without_policy: bool = False
    """Whether OPA hangs meanwhile."""
    within_seconds: float = 0.0
    """How long the answer may take to become this one."""


STORY = (
    Request(
        "A compliance officer reads the records",
        200,
        "role compliance_officer, TLS 1.3: the policy allows it",
        within_seconds=ROUTED_SECONDS,
    ),
    Request("The same without a token", 401, "Envoy checks the token before anybody else is asked", person=""),
    Request(
        "An analyst reads the records", 403, "the role analyst is not among those of the operation", person=ANALYST
    ),
    Request("The officer over TLS 1.2", 403, "this operation needs TLS 1.3", tls=TlsVersion.TLS_1_2),
    Request(
        "TLS 1.2, and a header that says 1.3",
        403,
        "Envoy takes the client's header away and sets its own",
        tls=TlsVersion.TLS_1_2,
        headers={TLS_VERSION_HEADER: "TLSv1.3"},
    ),
    Request("No X-Request-ID", 400, "the configuration makes this header mandatory", has_request_id=False),
    Request("An API that nobody registered", 404, "only registered operations have a route", path="/v1/secret"),
    Request("OPA hangs", 503, "no decision within 250 ms: nobody gets through", without_policy=True),
    Request("OPA is back", 200, "within 5 seconds of its return", within_seconds=BACK_SECONDS),
)
"""Point by point what the access path promises."""


@dataclass(frozen=True)
class Told:
    """What happened to a request."""

    request: Request
    status: int
    record: Mapping[str, Any] | None
    """What Envoy wrote about it; None if it was not found in time."""

    @property
    def holds(self) -> bool:
        """Whether the answer is the promised one, and recorded."""
        return self.status == self.request.status and self.record is not None and self.record["status"] == self.status

    def document(self) -> dict[str, Any]:
        """As one JSON document."""
        return {
            "request": self.request.title,
            "path": self.request.path,
            "status": self.status,
            "expected": self.request.status,
            "why": self.request.why,
            "holds": self.holds,
            "record": self.record,
        }


@dataclass(frozen=True)
class Stage:
    """Where the story takes place.

    Args:
        host: The name or address of the edge.
        port: Its port for APIs.
        authority: The certificate of the root CA.
        token: Makes the token of a person.
        records: Reads what Envoy has recorded.
        hung_policy: Has OPA hang as long as it is entered.
    """

    host: str
    port: int
    authority: Path
    token: Callable[[str], str]
    records: Callable[[], Sequence[Mapping[str, Any]]]
    hung_policy: Callable[[], AbstractContextManager[None]]


def tell(stage: Stage, story: Sequence[Request] = STORY) -> Iterator[Told]:
    """Ask one after the other.

    Args:
        stage: Where.
        story: What is asked.
    """
    tokens = {person: stage.token(person) for person in {one.person for one in story} if person}
    for request in story:
        with stage.hung_policy() if request.without_policy else nullcontext():
            told = _ask(stage, request, tokens)
        yield told


def _ask(stage: Stage, request: Request, tokens: Mapping[str, str]) -> Told:
    known = {record["record_id"] for record in stage.records()}
    deadline = time.monotonic() + request.within_seconds
    while True:
        identity = f"demo-{secrets.token_hex(8)}"
        status = _status(stage, request, tokens, identity)
        if status == request.status or time.monotonic() >= deadline:
            break
        time.sleep(_LOOK_SECONDS)  # between two attempts
    wanted = identity if request.has_request_id else None
    return Told(request, status, _record(stage, known, wanted))


def _status(stage: Stage, request: Request, tokens: Mapping[str, str], identity: str) -> int:
    context = ssl.create_default_context(cafile=str(stage.authority))
    context.minimum_version = context.maximum_version = _VERSIONS[request.tls]
    headers = {"X-Request-ID": identity} if request.has_request_id else {}
    if request.person:
        headers["Authorization"] = f"Bearer {tokens[request.person]}"
    connection = http.client.HTTPSConnection(stage.host, stage.port, timeout=ANSWER_SECONDS, context=context)
    try:
        connection.request("GET", request.path, headers={**headers, **request.headers})
        return connection.getresponse().status
    finally:
        connection.close()


def _record(stage: Stage, known: set[str], identity: str | None) -> Mapping[str, Any] | None:
    deadline = time.monotonic() + RECORD_SECONDS
    while time.monotonic() < deadline:
        fresh = [record for record in stage.records() if record["record_id"] not in known]
        found = next((record for record in fresh if record["request_id"] == identity), None)
        if found is not None:
            return found
        time.sleep(_LOOK_SECONDS)  # between two looks at the log
    return None
