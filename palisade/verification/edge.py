"""The edge as its clients meet it: where it is, what it shows, what it answers, and what it records about that."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from palisade.verification import registry_pods
from palisade.verification.cluster import Cluster
from palisade.verification.readings import ReadingFailedError
from palisade.verification.waiting import read_until

ANSWER_SECONDS = 10
"""How long an answer may take; an idle edge answers within 0.01 s."""
RECORD_SECONDS = 8.0
"""How long a record may take from Envoy (it writes once a second) to who reads the pod's log."""
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True)
class Shown:
    """The certificate that a port shows."""

    serial: int
    names: frozenset[str]
    identities: frozenset[str]
    lifetime: timedelta
    ends: datetime
    trusted: str
    """``yes``, or why the chain that is shown does not lead to the fleet's root."""


@dataclass(frozen=True)
class Asked:
    """One request to the edge, and what was answered."""

    identity: str
    """Its ``X-Request-ID``."""
    status: int
    headers: Mapping[str, str]
    """By their names in lower case."""


def addresses(cluster: Cluster) -> tuple[str, ...]:
    """Where clients reach the registry: as its Service says it, else the name that they use.

    A load balancer that the cluster does not know leaves no address in the Service.

    Raises:
        ReadingFailedError: the Service says no address, and there is no certificate with a name.
    """
    service = registry_pods.one(cluster, "Service", "v1")
    given = (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or ()
    found = [*(service["spec"].get("externalIPs") or ()), *(one.get("ip") or one.get("hostname") for one in given)]
    if not found:
        certificate = cluster.read("Certificate", "cert-manager.io/v1", "edge", registry_pods.NAMESPACE) or {}
        found = list(certificate.get("spec", {}).get("dnsNames", ())[:1])
    if not found:
        raise ReadingFailedError("the Service registry has no address at which clients reach it, and no name")
    return tuple(sorted({str(one) for one in found}))


def secret(cluster: Cluster, name: str, key: str) -> bytes:
    """A value of a Secret of the registry.

    Raises:
        ReadingFailedError: it is not there.
    """
    found = cluster.read("Secret", "v1", name, registry_pods.NAMESPACE) or {}
    if key not in (found.get("data") or {}):
        raise ReadingFailedError(f"the Secret {registry_pods.NAMESPACE}/{name} has no {key}")
    return b64decode(found["data"][key])


def shown(address: str, port: int, authority: bytes, name: str) -> Shown:
    """The certificate that is served.

    Args:
        address: Of the edge.
        port: Its port.
        authority: The certificate of the root that must be behind it, PEM.
        name: The name by which a client asks.

    Raises:
        ReadingFailedError: there is no TLS connection.
    """
    certificate = x509.load_der_x509_certificate(_peer(address, port, _anyone(), name))
    extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(extension, x509.SubjectAlternativeName)  # noqa: S101 - by its number it is nothing else
    with NamedTemporaryFile(suffix=".pem") as file:
        Path(file.name).write_bytes(authority)
        known = ssl.create_default_context(cafile=file.name)
    try:
        _peer(address, port, known, name)
        trusted = "yes"
    except ReadingFailedError as error:
        trusted = str(error)
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    return Shown(
        serial=certificate.serial_number,
        names=frozenset(extension.get_values_for_type(x509.DNSName)),
        identities=frozenset(extension.get_values_for_type(x509.UniformResourceIdentifier)),
        lifetime=ends - begins,
        ends=ends,
        trusted=trusted,
    )


def ask(
    address: str, port: int, path: str, *, headers: Mapping[str, str] | None = None, version: str = "TLSv1.3"
) -> Asked:
    """One GET request, with a request ID of its own.

    Args:
        address: Of the edge.
        port: Its port.
        path: From the slash on.
        headers: Further headers.
        version: The version of TLS.

    Raises:
        ReadingFailedError: there is no answer.
    """
    identity = f"palisade-verify-{secrets.token_hex(8)}"
    context = _anyone()
    context.minimum_version = context.maximum_version = VERSIONS[version]
    connection = http.client.HTTPSConnection(address, port, timeout=ANSWER_SECONDS, context=context)
    try:
        connection.request("GET", path, headers={"X-Request-ID": identity, **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return Asked(identity, answer.status, {name.lower(): value for name, value in answer.getheaders()})
    except (OSError, http.client.HTTPException) as error:
        raise ReadingFailedError(f"{address}:{port} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()


def records(cluster: Cluster, asked: Iterable[Asked]) -> dict[str, list[dict[str, Any]]]:
    """The records of these requests by their request ID, from the logs of all registry pods.

    It waits until each has one, or :data:`RECORD_SECONDS` have passed.
    """
    wanted = [one.identity for one in asked]

    def written() -> dict[str, list[dict[str, Any]]]:
        requests = [record for record in _documents(cluster, "envoy") if record.get("record") == "request"]
        return {name: [one for one in requests if one["request_id"] == name] for name in wanted}

    return read_until(written, lambda found: all(found.values()), seconds=RECORD_SECONDS)


def log(cluster: Cluster, container: str) -> str:
    """What a container of all registry pods has written in the last minute."""
    pods = registry_pods.running(cluster)
    path = f"/api/v1/namespaces/{registry_pods.NAMESPACE}/pods/{{}}/log?container={container}&sinceSeconds=60"
    return "".join(cluster.request(path.format(name)).body for name in pods)


def decisions(cluster: Cluster, asked: Iterable[Asked] = ()) -> list[dict[str, Any]]:
    """The decisions that OPA has logged in the last minute, in all registry pods.

    Args:
        cluster: Where.
        asked: Requests whose decisions are waited for, for at most :data:`RECORD_SECONDS`.
    """
    wanted = {one.identity for one in asked}
    return read_until(
        lambda: [one for one in _documents(cluster, "opa") if one.get("decision_id")],
        lambda logged: wanted <= {_request_id(one) for one in logged},
        seconds=RECORD_SECONDS,
    )


def decided(cluster: Cluster, asked: Asked) -> dict[str, Any]:
    """What OPA has logged of a request when it decided on it; nothing if it was not asked."""
    found = (one["input"] for one in decisions(cluster, [asked]) if _request_id(one) == asked.identity)
    return next(found, {})


def _request_id(decision: Mapping[str, Any]) -> str:
    return str((decision.get("input") or {}).get("request_id", ""))


def _documents(cluster: Cluster, container: str) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in log(cluster, container).splitlines() if line.startswith("{"))


def _anyone() -> ssl.SSLContext:
    """A client that takes any certificate: whose it is, is another question."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _peer(address: str, port: int, context: ssl.SSLContext, name: str) -> bytes:
    try:
        with (
            socket.create_connection((address, port), ANSWER_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=name) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except ssl.SSLCertVerificationError as error:
        raise ReadingFailedError(error.verify_message) from error
    except OSError as error:
        raise ReadingFailedError(f"{address}:{port} does not answer: {error or type(error).__name__}") from error
