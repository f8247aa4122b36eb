"""A bundle as OPA reads it: one archive with the policy, its data, what it is responsible for, and a signature.

The same content, signed with the same key, is the same bytes. The format is OPA's (Bundles: File Format, Signing).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palisade.bundle.signing import Signer
from palisade.errors import PalisadeError

ALGORITHM = "RS256"
KEY_NAME = "bundle-signing"
"""How the key is called in the signature and in OPA's configuration."""
ROOTS = ("api/compliance", "registry", "required_headers")
"""What a bundle is responsible for; OPA refuses one that holds anything else."""
MANIFEST, SIGNATURES, DATA = ".manifest", ".signatures.json", "data.json"
LARGEST_BYTES = 900_000
"""What fits a ConfigMap, base64 and some labels included (its limit is 1 MiB)."""
_REVISION_SEPARATOR = b"\0"


@dataclass(frozen=True)
class Bundle:
    """What a bundle holds.

    Args:
        policies: Each Rego file by its path in the bundle.
        data: The base documents.
        environment: The environment that it is for; the signature says so, and OPA accepts no other.
    """

    policies: Mapping[str, bytes]
    data: Mapping[str, Any]
    environment: str

    @property
    def revision(self) -> str:
        """A digest of everything in it; every decision names it."""
        digest = hashlib.sha256()
        for name, content in sorted({**self.policies, DATA: _json(self.data)}.items()):
            digest.update(name.encode() + _REVISION_SEPARATOR + str(len(content)).encode() + _REVISION_SEPARATOR)
            digest.update(content)
        return digest.hexdigest()

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What OPA is told about it."""
        return {"revision": self.revision, "roots": list(ROOTS), "rego_version": 1}

    def archive(self, signer: Signer) -> bytes:
        """The signed archive.

        Raises:
            PalisadeError: it cannot be signed, or is too large for a ConfigMap.
        """
        files = {**self.policies, DATA: _json(self.data), MANIFEST: _json(self.manifest)}
        signatures = {"signatures": [_token(files, self.environment, signer)]}
        archive = _packed({**files, SIGNATURES: _json(signatures)})
        if len(archive) > LARGEST_BYTES:
            raise PalisadeError(
                f"The bundle has {len(archive):,} bytes.",
                allowed=f"at most {LARGEST_BYTES:,} bytes, which fit a ConfigMap",
                remedy="register fewer operations with this fleet",
            )
        return archive


def manifest_of(archive: bytes) -> Mapping[str, Any]:
    """What the manifest of an archive says.

    Raises:
        PalisadeError: it is no bundle.
    """
    return _read(archive, MANIFEST)


def data_of(archive: bytes) -> Mapping[str, Any]:
    """The base documents of an archive.

    Raises:
        PalisadeError: it is no bundle.
    """
    return _read(archive, DATA)


def _read(archive: bytes, name: str) -> Mapping[str, Any]:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
            content = packed.extractfile(f"/{name}")
            document: Mapping[str, Any] = json.loads(content.read()) if content else {}
    except (tarfile.TarError, OSError, EOFError, KeyError, ValueError, zlib.error) as error:
        raise PalisadeError(f"The file is no bundle: {error}.") from error
    return document


def _token(files: Mapping[str, bytes], environment: str, signer: Signer) -> str:
    """A JSON Web Token that names every file with its digest."""
    header = {"alg": ALGORITHM, "kid": KEY_NAME, "typ": "JWT"}
    listed = [
        {"algorithm": "SHA-256", "hash": hashlib.sha256(_hashed(name, content)).hexdigest(), "name": name}
        for name, content in sorted(files.items())
    ]
    said = b".".join(_base64(_json(part)) for part in (header, {"files": listed, "scope": environment}))
    return b".".join([said, _base64(signer.sign(said))]).decode()


def _hashed(name: str, content: bytes) -> bytes:
    """What OPA hashes: of JSON the values without layout, of anything else the bytes."""
    return _json(json.loads(content)) if name in (MANIFEST, DATA) else content


def _packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # The time is that of the first second of 1970: a bundle is told by its revision.
    with (
        gzip.GzipFile(filename="", fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as packed,
    ):
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(f"/{name}")
            member.size, member.mode = len(content), 0o644
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _base64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
