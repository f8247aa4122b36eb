"""The hosts of the scenario, seen over SSH, and the edge, asked as its clients do; nothing here is from the roles."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

from palisade.project import fleet_state_directory
from tests.access_path.issuer import Issuer

ADDRESS = "10.78.0.21"
APIS, MANAGEMENT = 443, 8443


def _host(name: str) -> Host:
    configuration = fleet_state_directory("molecule") / "ssh_config"
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(configuration), sudo=True)


@pytest.fixture(scope="session")
def registry() -> Host:
    """The registry host."""
    return _host("registry-1")


@pytest.fixture(scope="session")
def database() -> Host:
    """The host of the database."""
    return _host("db-1")


@pytest.fixture(scope="session")
def stand_ins() -> Path:
    """The folder of the keys and certificates that the scenario made."""
    return Path(os.environ["STAND_INS"])


@dataclass(frozen=True)
class Edge:
    """The edge as a client sees it."""

    authority: Path
    issuer: Issuer

    def context(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """TLS of exactly this version, which OpenSSL itself does not refuse."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        return context

    def connection(self, port: int, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> http.client.HTTPSConnection:
        """A connection that is not open yet."""
        return http.client.HTTPSConnection(ADDRESS, port, timeout=10, context=self.context(version))

    def ask(
        self, path: str, *roles: str, port: int = APIS, tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, request: str = "a"
    ) -> tuple[int, bytes]:
        """Status and body; without roles there is no token."""
        headers: Mapping[str, str] = {"X-Request-ID": request}
        if roles:
            headers = {**headers, "Authorization": f"Bearer {self.issuer.token(*roles)}"}
        connection = self.connection(port, tls)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self, path: str, *roles: str, port: int = APIS) -> int:
        """The status only; 0 if nobody answers."""
        try:
            return self.ask(path, *roles, port=port)[0]
        except OSError:
            return 0


@pytest.fixture(scope="session")
def edge(stand_ins: Path) -> Edge:
    """The edge, once OPA has its bundle."""
    found = Edge(stand_ins / "authority.crt", Issuer(key_file=stand_ins / "issuer-signing.pem"))
    wait_until(lambda: found.status("/v1/finance/summary", "analyst") == 200, 60)
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait, and say for how many seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s"
        time.sleep(0.1)  # between two looks
    return time.monotonic() - start


def records(host: Host) -> list[dict[str, Any]]:
    """What Envoy has recorded about requests."""
    text = host.check_output("journalctl --unit=palisade-envoy.service --output=cat --no-pager")
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [record for record in found if record["record"] == "request"]
