"""Verifiers of passwords as PostgreSQL keeps them (SCRAM-SHA-256, RFC 5802 and RFC 7677).

A verifier lets a server check a password that it does not know. It is made here, so that the password itself reaches
neither the host of the database nor its log: ``python -m palisade.scram`` reads JSON from standard input and prints it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import sys
from collections.abc import Mapping
from typing import TextIO

from palisade.errors import ConfigurationError, PalisadeError

ITERATIONS = 15_000
"""PostgreSQL's own default is the 4,096 of RFC 7677; a login costs a client about five milliseconds more."""
SALT_BYTES = 16
MINIMUM_CHARACTERS = 20
_PASSWORD = re.compile(r"[!-~]+")
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(?P<iterations>\d+):(?P<salt>[A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def verifier(password: str, *, salt: bytes, iterations: int = ITERATIONS) -> str:
    """The verifier of a password in the form of ``pg_authid.rolpassword``.

    Args:
        password: Printable ASCII; anything else would have to be prepared as RFC 4013 says, by every client alike.
        salt: Random bytes.
        iterations: How often it is hashed.
    """
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = (_base64(salt), _base64(stored), _base64(_hmac(salted, b"Server Key")))
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def kept_or_new(password: str, kept: str | None) -> str:
    """The verifier that the server has already if it is this password's, or a new one with a salt of its own."""
    found = _VERIFIER.fullmatch(kept or "")
    if found and int(found["iterations"]) == ITERATIONS:
        same = verifier(password, salt=base64.b64decode(found["salt"]))
        if hmac.compare_digest(same, found[0]):
            return same
    return verifier(password, salt=secrets.token_bytes(SALT_BYTES))


def verifiers(users: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """The verifier of every user.

    Args:
        users: Passwords by name.
        kept: Verifiers that the server has, by name.

    Raises:
        ConfigurationError: a password is too short, or holds something else than printable ASCII; it is not shown.
    """
    for name, password in users.items():
        if len(password) < MINIMUM_CHARACTERS or not _PASSWORD.fullmatch(password):
            raise ConfigurationError(
                f"The password of {name} cannot be used.",
                where=f"postgresql_users: {name}",
                allowed=f"{MINIMUM_CHARACTERS} or more characters of printable ASCII without spaces",
            )
    return {name: kept_or_new(password, kept.get(name)) for name, password in users.items()}


def main(source: TextIO, target: TextIO) -> None:
    """Read ``{"users": [{"name", "password"}], "kept": {name: verifier}}`` and print ``{name: verifier}``.

    Raises:
        ConfigurationError: a password cannot be used.
    """
    asked = json.load(source)
    users = {user["name"]: user["password"] for user in asked["users"]}
    json.dump(verifiers(users, asked["kept"]), target, sort_keys=True)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


if __name__ == "__main__":
    try:
        main(sys.stdin, sys.stdout)
    except PalisadeError as error:
        sys.exit(f"error: {error}")
