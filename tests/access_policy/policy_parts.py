"""What the tests of the policy share: the bundle of a small fleet, OPA as Envoy sees it, and its answers."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, struct_pb2

from palisade.access_path.opa import BUNDLE_NAME, OpaSettings, opa_arguments, render_opa
from palisade.bundle.archive import Bundle
from palisade.bundle.build import POLICIES
from palisade.bundle.lookup import lookup
from palisade.bundle.signing import SMALLEST_KEY_BITS, KeyFileSigner
from palisade.config_values import TlsVersion
from palisade.registry.model import Apis
from tests.control_plane.processes import Daemon, free_ports
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = "unit"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"  # noqa: S105 - what must not be written down
READY_SECONDS = 20.0
_API = {
    "owner": "finance-platform",
    "git_commit": "0123456789abcdef0123456789abcdef01234567",
    "upstream": {"host": "upstream.example", "port": 8080},
}
OFFICER = {"sub": "person-4711", "roles": ["compliance_officer"]}
DEPRECATION = "@1735689600"
"""The header of an API that is deprecated since the first second of 2025."""
ANALYST = {"sub": "person-4712", "roles": ["analyst"], "department": "finance"}


def apis(*, state: str = "ENABLED") -> Apis:
    """An API with a path, a parameter and an attribute; and one that is gone."""
    officer = {"roles": ["compliance_officer"], "minimum_tls": "1.3"}
    analyst = {"roles": ["analyst"], "attributes": {"department": ["finance"]}}
    operations = [
        {"method": "GET", "path": "/v1/finance/records", **officer},
        {"method": "GET", "path": "/v1/finance/records/{record}", **officer},
        {"method": "GET", "path": "/v1/finance/summary", **analyst},
    ]
    since = {"deprecated_on": "2025-01-01T00:00:00Z"} if state == "DEPRECATED" else {}
    served = {"name": "finance", "version": "1.0.0", "state": state, **since}
    gone = [{"method": "GET", "path": "/v0/finance/records", **officer}]
    return Apis.model_validate(
        {
            "apis": [
                {**_API, **served, "operations": operations},
                {**_API, "name": "finance", "version": "0.9.0", "state": "DISABLED", "operations": gone},
            ]
        }
    )


def bundle(registered: Apis, *, environment: str = ENVIRONMENT) -> Bundle:
    """A bundle with the policy of the project."""
    path = "api/compliance/compliance.rego"
    policy = (POLICIES.parent / path).read_bytes()
    data = lookup(registered, ["x-request-id"], TlsVersion.TLS_1_2)
    return Bundle({path: policy}, data, environment)


def new_key(path: Path, bits: int = SMALLEST_KEY_BITS) -> Path:
    """A private RSA key in a file."""
    key = generate_private_key(public_exponent=65537, key_size=bits)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


class BundleServer:
    """Gives the bundle away on loopback, as Envoy does; a context manager."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        """What it gives; nothing: 404."""
        self.asked = 0
        """How often it was asked."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                content = outer.content if self.path == f"/{BUNDLE_NAME}" else None
                self.send_response(404 if content is None else 200)
                self.send_header("content-length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
                """Nothing: a test looks at what it has counted."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_until_asked(self, times: int = 2) -> None:
        """Wait until OPA has fetched it so many times again, and has looked at all but the last."""
        seen = self.asked
        wait_until(lambda: self.asked >= seen + times, "OPA does not ask for the bundle")


@dataclass(frozen=True)
class Answer:
    """What OPA told Envoy."""

    status: int
    """200 when the request goes on."""
    headers: Mapping[str, str]
    """For the client: of a refusal, or added to the answer of the API."""
    metadata: Mapping[str, Any]

    @property
    def rule(self) -> str:
        return str(self.metadata["rule"])

    @property
    def revision(self) -> str:
        return str(self.metadata["bundle_revision"])


@dataclass
class Beside:
    """OPA as it runs beside Envoy; a context manager that ends it.

    Args:
        directory: Where its files, its socket and its log are.
        program: OPA.
        key: The private key that signs bundles.
        server: Where it fetches them.
    """

    directory: Path
    program: Path
    key: Path
    server: BundleServer
    _daemon: Daemon | None = field(default=None, init=False)
    _starts: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        settings = OpaSettings(
            environment=ENVIRONMENT,
            verification_key=KeyFileSigner(self.key).public_key(),
            bundle_url=self.server.address,
            socket=str(self.socket),
            persistence_directory=str(self.directory / "kept"),
            polling_seconds=(1, 1),
            decision_log=True,
        )
        for name, text in render_opa(settings).items():
            (self.directory / name).write_text(text, encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def socket(self) -> Path:
        return self.directory / "grpc.sock"

    @property
    def kept(self) -> Path:
        """The last good bundle."""
        return self.directory / "kept/bundles/api/bundle.tar.gz"

    @property
    def said(self) -> str:
        """What it has written, decisions and errors, since it was started."""
        assert self._daemon is not None
        return self._daemon.log.read_text(encoding="utf-8")

    def start(self) -> None:
        """Start it; it listens, with or without a bundle."""
        (port,) = free_ports(1)
        self._starts += 1
        arguments = opa_arguments(str(self.directory), health_address=f"127.0.0.1:{port}")
        self.address = f"http://127.0.0.1:{port}"
        self.socket.unlink(missing_ok=True)
        self._daemon = Daemon(f"opa-{self._starts}", [str(self.program), *arguments], self.directory)
        self._daemon.wait_until(lambda: self.socket.exists() and self.http("/health")[0] == 200, READY_SECONDS)

    def start_with_bundle(self) -> None:
        """Start it and wait until it decides."""
        self.start()
        wait_until(lambda: self.http("/health?bundles&plugins")[0] == 200, "OPA has no bundle")

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def http(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
        """The status and the body of an answer of its own HTTP interface; 0 if there is none."""
        request = urllib.request.Request(f"{self.address}{path}", body, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ask(self, path: str = "/v1/finance/records", claims: Mapping[str, Any] | None = None, **sent: str) -> Answer:
        """Ask for a decision as Envoy does.

        Args:
            path: What the client asks for, with its query.
            claims: The claims of its token; those of a compliance officer unless told.
            sent: Headers, with _ for -.

        Raises:
            grpc.RpcError: there is no decision, which Envoy answers with 503.
        """
        headers = {
            "x-request-id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "x-palisade-tls-version": "TLSv1.3",
            "authorization": f"Bearer {TOKEN}",
            ":path": path,
            **{name.replace("_", "-"): value for name, value in sent.items()},
        }
        request = _CHECK_REQUEST()
        http = request.attributes.request.http
        http.method, http.path = "GET", path
        http.headers.update(headers)
        namespace = request.attributes.metadata_context.filter_metadata["envoy.filters.http.jwt_authn"]
        json_format.ParseDict({"claims": dict(OFFICER if claims is None else claims)}, namespace)
        with grpc.insecure_channel(f"unix:{self.socket}") as channel:
            call = channel.unary_unary(
                "/envoy.service.auth.v3.Authorization/Check",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=_CHECK_RESPONSE.FromString,
            )
            answer = call(request, timeout=5)
        return _answer(answer)


def decisions(said: str) -> list[dict[str, Any]]:
    """The decision log among what OPA has written."""
    records = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [record for record in records if record.get("type") == "openpolicyagent.org/decision_logs"]


def _answer(answer: Any) -> Answer:
    metadata = json_format.MessageToDict(answer.dynamic_metadata)
    refused = answer.HasField("denied_response")
    headers = answer.denied_response.headers if refused else answer.ok_response.response_headers_to_add
    return Answer(
        status=answer.denied_response.status.code if refused else 200,
        headers={one.header.key.lower(): one.header.value for one in headers},
        metadata=metadata,
    )


_TEXT, _NUMBER, _MESSAGE = 9, 5, 11
_FIELDS: Mapping[str, tuple[tuple[str, int, int | str, bool], ...]] = {
    # Message: its fields, each with its number, its type, and whether it is repeated (Envoy's external_auth.proto v3).
    "CheckRequest": (("attributes", 1, "Attributes", False),),
    "Attributes": (("request", 4, "Request", False), ("metadata_context", 11, "Metadata", False)),
    "Request": (("http", 2, "Http", False),),
    "Http": (("method", 2, _TEXT, False), ("headers", 3, "HeadersEntry", True), ("path", 4, _TEXT, False)),
    "Metadata": (("filter_metadata", 1, "FiltersEntry", True),),
    "CheckResponse": (
        ("denied_response", 2, "Denied", False),
        ("ok_response", 3, "Ok", False),
        ("dynamic_metadata", 4, ".google.protobuf.Struct", False),
    ),
    "Denied": (("status", 1, "Status", False), ("headers", 2, "Option", True), ("body", 3, _TEXT, False)),
    "Ok": (("headers", 2, "Option", True), ("response_headers_to_add", 6, "Option", True)),
    "Status": (("code", 1, _NUMBER, False),),
    "Option": (("header", 1, "Header", False),),
    "Header": (("key", 1, _TEXT, False), ("value", 2, _TEXT, False)),
}
_ENTRIES: Mapping[str, tuple[str, int | str]] = {
    "HeadersEntry": ("Http", _TEXT),
    "FiltersEntry": ("Metadata", ".google.protobuf.Struct"),
}


def _messages() -> tuple[Any, Any]:
    """The part of Envoy's protocol that the tests speak; the names of messages do not travel."""
    file = descriptor_pb2.FileDescriptorProto(name="policy_test.proto", package="policy_test", syntax="proto3")
    file.dependency.append("google/protobuf/struct.proto")
    made = {name: file.message_type.add(name=name) for name in _FIELDS}
    for entry, (owner, value) in _ENTRIES.items():
        # protoc names the entries of a map field after the field.
        inner = made[owner].nested_type.add(name=f"{'Headers' if owner == 'Http' else 'FilterMetadata'}Entry")
        inner.options.map_entry = True
        _add(inner, "key", 1, _TEXT, repeated=False)
        _add(inner, "value", 2, value, repeated=False)
        made[entry] = inner
    for name, fields in _FIELDS.items():
        for title, number, kind, repeated in fields:
            place = f".policy_test.{_ENTRIES[kind][0]}.{made[kind].name}" if kind in _ENTRIES else kind
            _add(made[name], title, number, place, repeated=repeated)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    types = [pool.FindMessageTypeByName(f"policy_test.{name}") for name in ("CheckRequest", "CheckResponse")]
    return message_factory.GetMessageClass(types[0]), message_factory.GetMessageClass(types[1])


def _add(message: Any, name: str, number: int, kind: int | str, *, repeated: bool) -> None:
    field_ = message.field.add(name=name, number=number, label=3 if repeated else 1)
    if isinstance(kind, str):
        field_.type, field_.type_name = _MESSAGE, kind if kind.startswith(".") else f".policy_test.{kind}"
    else:
        field_.type = kind


_CHECK_REQUEST, _CHECK_RESPONSE = _messages()
