"""A policy bundle as OPA's format describes it, read and checked without the code that makes it.

Format: OPA, Bundles: "Bundle File Format" and "Signing".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from base64 import urlsafe_b64decode
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

SIGNATURES = ".signatures.json"
MANIFEST = ".manifest"


@dataclass(frozen=True)
class SignedBundle:
    """What a bundle says of itself, and what is wrong with it."""

    revision: str
    scope: str
    """For which environment it was signed."""
    key: str
    """The name of the key that signed it."""
    problems: tuple[str, ...]


def read_bundle(archive: bytes, public_key: str) -> SignedBundle:
    """Read a bundle and check its signature and every file.

    Args:
        archive: The bundle.
        public_key: What checks the signature (RS256), PEM.
    """
    try:
        files = _files(archive)
        revision = str(json.loads(files[MANIFEST]).get("revision", ""))
        (token,) = json.loads(files.pop(SIGNATURES))["signatures"]
        header, payload = (_decoded(part) for part in token.split(".")[:2])
    except (OSError, EOFError, tarfile.TarError, zlib.error, KeyError, ValueError) as error:
        return SignedBundle("", "", "", (f"it cannot be read: {error!r}",))
    problems = [] if _is_signed(token, header, public_key) else ["its signature is not that of the key"]
    listed = {one["name"].lstrip("/"): one["hash"] for one in payload["files"]}
    problems += [f"{name} is not signed" for name in files if name not in listed]
    problems += [f"{name} is missing" for name in listed if name not in files]
    problems += [
        f"{name} is not what was signed"
        for name, content in files.items()
        if name in listed and listed[name] != _hash(content, name)
    ]
    return SignedBundle(revision, str(payload.get("scope", "")), str(header.get("kid", "")), tuple(problems))


def _files(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as packed:
        members = [one for one in packed.getmembers() if one.isfile()]
        return {one.name.lstrip("/"): content.read() for one in members if (content := packed.extractfile(one))}


def _is_signed(token: str, header: dict[str, Any], public_key: str) -> bool:
    key = load_pem_public_key(public_key.encode())
    if not isinstance(key, rsa.RSAPublicKey) or header.get("alg") != "RS256":
        return False
    said, _, signature = token.rpartition(".")
    try:
        key.verify(_bytes(signature), said.encode(), padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _hash(content: bytes, name: str) -> str:
    """The digest of a file; of structured ones OPA takes that of the values without their layout."""
    if name == MANIFEST or name.endswith(".json"):
        # What is no JSON is what nobody has signed as such.
        with suppress(ValueError):
            content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return hashlib.sha256(content).hexdigest()


def _decoded(part: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_bytes(part))
    return document


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
