"""Small HTTP servers in threads of the test: the service behind an API, and the issuer's JWKS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = Callable[[BaseHTTPRequestHandler], bytes]


def echo(request: BaseHTTPRequestHandler) -> bytes:
    """What the service behind an API was asked."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return json.dumps({"path": request.path, "headers": headers}).encode()


@contextmanager
def http_server(answer: Answer, *, pair: tuple[Path, Path] | None = None) -> Iterator[int]:
    """Serve on loopback; yields the port.

    Args:
        answer: Makes the body of each answer, JSON.
        pair: Certificate and key, for TLS.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = answer(self)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Powered-By", "the test")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the library calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
