"""Runs on the database host: the token issuer's keys over TLS (443), and the service behind the API (80)."""

import json
import pathlib
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS_PORT, SERVICE_PORT = 443, 80
SLOW_SECONDS = 4


class Answer(BaseHTTPRequestHandler):
    """Answers every GET with JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The keys, or what the service was asked."""
        if self.path.endswith("/slow"):
            time.sleep(SLOW_SECONDS)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = json.dumps({"path": self.path, "headers": headers}).encode()
        body = pathlib.Path("jwks.json").read_bytes() if self.server.server_port == KEYS_PORT else asked
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


keys = ThreadingHTTPServer(("0.0.0.0", KEYS_PORT), Answer)  # noqa: S104 - the registry host asks
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("tls.crt", "tls.key")
keys.socket = context.wrap_socket(keys.socket, server_side=True)
threading.Thread(target=keys.serve_forever, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", SERVICE_PORT), Answer).serve_forever()  # noqa: S104 - as above
