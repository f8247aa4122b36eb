"""Who signs a bundle: Vault's Transit engine, or a key in a file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from palisade.errors import ConfigurationError, PalisadeError

SMALLEST_KEY_BITS = 3072
"""What NIST SP 800-57 part 1 asks of RSA keys that are used beyond 2030."""


class Signer(Protocol):
    """Makes signatures of RS256: RSA with PKCS #1 v1.5 padding and SHA-256, the same each time."""

    def sign(self, content: bytes) -> bytes:
        """The signature of this content."""

    def public_key(self) -> str:
        """The key that checks it, as PEM."""


class KeyFileSigner:
    """Signs with a private RSA key in a PEM file without a passphrase.

    Raises:
        ConfigurationError: the file holds no such key.
    """

    def __init__(self, path: Path) -> None:
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _no_key(path, "It cannot be read as a private key without a passphrase.") from error
        if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY_BITS:
            raise _no_key(path, "It is not an RSA key of sufficient length.")
        self._key = key

    def sign(self, content: bytes) -> bytes:
        """The signature of this content."""
        return self._key.sign(content, PKCS1v15(), SHA256())

    def public_key(self) -> str:
        """The key that checks it, as PEM."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Transit(Protocol):
    """What a signature needs of a client of Vault that is logged in."""

    def read(self, path: str) -> dict[str, Any] | None:
        """What stands at a path."""

    def write(self, path: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write to a path and return the data of the answer."""


class TransitSigner:
    """Signs with the newest version of an RSA key of Vault's Transit engine, which never gives the key away.

    Args:
        vault: The client.
        mount: Where the engine is mounted.
        key: The name of the key.
    """

    def __init__(self, vault: Transit, mount: str, key: str) -> None:
        self._vault, self._mount, self._key = vault, mount, key

    def sign(self, content: bytes) -> bytes:
        """The signature of this content."""
        question = {"input": base64.b64encode(content).decode(), "signature_algorithm": "pkcs1v15"}
        answer = self._vault.write(f"{self._mount}/sign/{self._key}/sha2-256", question)
        return base64.b64decode(answer["signature"].rpartition(":")[2])

    def public_key(self) -> str:
        """The key that checks it, as PEM.

        Raises:
            PalisadeError: there is no such key, or it is not RSA.
        """
        path = f"{self._mount}/keys/{self._key}"
        key = self._vault.read(path) or {"type": "missing"}
        if not key["type"].startswith("rsa-"):
            raise PalisadeError(
                f"The key {self._key} is {key['type']}.",
                where=f"Vault: {path}",
                allowed="an RSA key, for OPA checks bundles with RS256",
                remedy="palisade vault apply makes it",
            )
        return f"{key['keys'][str(key['latest_version'])]['public_key'].strip()}\n"


def _no_key(path: Path, problem: str) -> ConfigurationError:
    return ConfigurationError(
        problem,
        where=str(path),
        allowed=f"an RSA key of at least {SMALLEST_KEY_BITS} bits in a PEM file",
        remedy=f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{SMALLEST_KEY_BITS} -out {path}",
    )
