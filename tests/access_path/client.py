"""A client of the edge that sends exactly what it is told."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Talks to one port over TLS, and trusts one authority."""

    port: int
    authority: Path
    sent: list[str] = field(default_factory=list)
    """The paths of all requests that were answered."""

    def ask(
        self, path: str, *, method: str = "GET", tls: ssl.TLSVersion = TLS_1_3, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.context(tls))
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read()
            self.sent.append(path)
            return Answer(answer.status, found, body)
        finally:
            connection.close()

    def serial(self) -> int:
        """The serial number of the certificate that is served now."""
        with self.socket(TLS_1_3) as secured:
            shown = secured.getpeercert(binary_form=True)
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    def socket(self, tls: ssl.TLSVersion) -> ssl.SSLSocket:
        """A connection of this TLS version."""
        import socket  # noqa: PLC0415

        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        try:
            return self.context(tls).wrap_socket(plain, server_hostname="127.0.0.1")
        except BaseException:
            plain.close()
            raise

    def context(self, tls: ssl.TLSVersion) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(self.authority))
        made.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL itself would refuse what is old
        made.minimum_version, made.maximum_version = tls, tls
        return made
