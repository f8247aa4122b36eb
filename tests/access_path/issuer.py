"""An OpenID Connect issuer of its own: one RSA key, its JWKS over TLS, and tokens of every kind, bad ones too."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

AUDIENCE = "palisade-api"


def encoded(content: bytes) -> str:
    """Base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Issuer:
    """Signs tokens; ``address`` is its claim ``iss``, and ``key_file`` holds its key if it is to be the same again."""

    def __init__(self, address: str = "https://issuer.example", key_file: Path | None = None) -> None:
        self.address = address
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if key_file is not None:
            key = load_pem_private_key(key_file.read_bytes(), password=None)
            assert isinstance(key, rsa.RSAPrivateKey)
            self._key = key

    @property
    def jwks(self) -> str:
        """The public key (RFC 7517)."""
        numbers = self._key.public_key().public_numbers()
        parts = {
            name: encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
            for name, value in (("n", numbers.n), ("e", numbers.e))
        }
        return json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", **parts}]})

    def claims(self, *roles: str, **changed: Any) -> dict[str, Any]:
        """The claims of a sound token with these roles, and others in place of them; None leaves one out."""
        now = int(time.time())
        sound = {"iss": self.address, "aud": AUDIENCE, "sub": "someone", "iat": now, "exp": now + 600}
        claims = {**sound, "roles": list(roles), "department": "finance", **changed}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, *roles: str, **changed: Any) -> str:
        """A signed token."""
        return self.sign(self.claims(*roles, **changed))

    def sign(self, claims: Mapping[str, Any], algorithm: str = "RS256") -> str:
        """These claims, signed with the key; without a signature for the algorithm ``none``."""
        head = {"alg": algorithm, "typ": "JWT", "kid": "one"}
        text = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
        if algorithm == "none":
            return f"{text}."
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{encoded(signature)}"
