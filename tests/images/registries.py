"""A real image registry on loopback (Debian's docker-registry), and the service that gives tokens for it."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import yaml
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from palisade.local.certificates import Authority, Subject
from tests.control_plane.processes import Daemon, free_ports

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
USER, PASSWORD = "puller", "let-me-in"
SAVED = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SERVICE, ISSUER = "images", "tokens"
_READY_SECONDS = 20.0


@dataclass
class TlsFiles:
    """An authority and what it has issued for 127.0.0.1."""

    directory: Path
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority(self.directory, "registry-ca")
        self.authority.issue("server", Subject("server", addresses=(IPv4Address("127.0.0.1"),)))
        self.ca_file.write_text(self.authority.certificate, encoding="ascii")

    @property
    def ca_file(self) -> Path:
        return self.directory / "trusted.pem"

    @property
    def pair(self) -> tuple[Path, Path]:
        return self.directory / "server.crt", self.directory / "server.key"


@dataclass(frozen=True)
class Registry:
    """A registry that runs, and a client that may push to it."""

    address: str
    client: httpx.Client

    def push(self, repository: str, tag: str, *, media_type: str = MANIFEST, text: str = "one") -> str:
        """Push a small image (or an index of one); the digest of what the tag means is computed here."""
        image = self._put(repository, "image", MANIFEST, self._manifest(repository, text))
        if media_type == MANIFEST:
            return self._put(repository, tag, MANIFEST, self._manifest(repository, text))
        content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{"mediaType": MANIFEST, "digest": image}]}
        content["manifests"][0] |= {"size": len(self._manifest(repository, text))}  # type: ignore[index]
        return self._put(repository, tag, INDEX, json.dumps(content).encode())

    def _manifest(self, repository: str, text: str) -> bytes:
        configuration = self._blob(repository, json.dumps({"architecture": "amd64", "os": "linux"}).encode())
        layer = self._blob(repository, text.encode())
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **configuration},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **layer}],
            }
        ).encode()

    def _blob(self, repository: str, content: bytes) -> dict[str, str | int]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        started = self.client.post(f"/v2/{repository}/blobs/uploads/")
        assert started.status_code == httpx.codes.ACCEPTED, started.text
        place = httpx.URL(started.headers["Location"]).copy_add_param("digest", digest)
        put = self.client.put(place, content=content)
        assert put.status_code == httpx.codes.CREATED, put.text
        return {"digest": digest, "size": len(content)}

    def _put(self, repository: str, tag: str, media_type: str, content: bytes) -> str:
        headers = {"Content-Type": media_type}
        put = self.client.put(f"/v2/{repository}/manifests/{tag}", content=content, headers=headers)
        assert put.status_code == httpx.codes.CREATED, put.text
        return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def running_registry(
    directory: Path, tls: TlsFiles, *, authorisation: dict[str, dict[str, str]] | None = None, token: str = ""
) -> Iterator[Registry]:
    """docker-registry with TLS, its images in a directory, and one kind of authorisation or none."""
    (port,) = free_ports(1)
    certificate, key = tls.pair
    configuration = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(directory / "images")}},
        "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(certificate), "key": str(key)}},
        **({"auth": authorisation} if authorisation else {}),
    }
    file = directory / "registry.yaml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    daemon = Daemon("docker-registry", ["docker-registry", "serve", str(file)], directory)
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    headers = {"Authorization": token} if token else {}
    address = f"127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=f"https://{address}", verify=trust, headers=headers, trust_env=False) as client:
            daemon.wait_until(lambda: _answers(client), _READY_SECONDS)
            yield Registry(address, client)
    finally:
        daemon.stop()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v2/").status_code in (httpx.codes.OK, httpx.codes.UNAUTHORIZED)
    except httpx.TransportError:
        return False


@contextmanager
def https_server(tls: TlsFiles, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A web server of our own, for what a real registry does not do: lie, or give tokens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.pair)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def respond(handler: BaseHTTPRequestHandler, status: int, content: bytes, **headers: str) -> None:
    """Answer a request."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def signed_token(tls: TlsFiles, repository: str, actions: list[str]) -> str:
    """A token as docker-registry wants it: a JSON Web Token with the chain of who signed it (ES256, x5c)."""
    certificate, key_file = tls.pair
    pem = certificate.read_text(encoding="ascii")
    der = base64.b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()
    now = int(time.time())
    access = [{"type": "repository", "name": repository, "actions": actions}]
    claims = {"iss": ISSUER, "sub": USER, "aud": SERVICE, "exp": now + 300, "nbf": now - 60, "iat": now, "jti": "1"}
    parts = [{"typ": "JWT", "alg": "ES256", "x5c": [der]}, {**claims, "access": access}]
    signed = ".".join(_url64(json.dumps(part).encode()) for part in parts)
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_url64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def token_service(tls: TlsFiles, asked: list[str]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Gives a token for what is asked to whoever has the password; remembers the scopes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        asked.append(query["scope"][0])
        if handler.headers.get("Authorization") != f"Basic {SAVED}":
            respond(handler, 401, b"{}")
            return
        kind, repository, actions = query["scope"][0].split(":")
        assert (kind, query["service"]) == ("repository", [SERVICE])
        token = signed_token(tls, repository, actions.split(","))
        respond(handler, 200, json.dumps({"token": token}).encode(), Content_Type="application/json")

    return answer


def _url64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
