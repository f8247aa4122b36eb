"""Bundles are checked without the code that makes them: what that code makes is whole, and every change is noticed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from palisade.bundle.archive import Bundle
from palisade.verification.signed_bundle import read_bundle

KEY = rsa.generate_private_key(public_exponent=65537, key_size=3072)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=3072)
BUNDLE = Bundle({"api.rego": b"package api.compliance\n"}, {"registry": {"ä": [1]}}, "prod")


class Signer:
    """Signs with the key of this file."""

    def sign(self, content: bytes) -> bytes:
        return KEY.sign(content, PKCS1v15(), SHA256())

    def public_key(self) -> str:
        return public(KEY)


def public(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as packed:
        return {one.name: packed.extractfile(one).read() for one in packed.getmembers()}  # type: ignore[union-attr]


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_what_is_made_is_whole() -> None:
    found = read_bundle(BUNDLE.archive(Signer()), public(KEY))
    assert found.problems == ()
    assert (found.revision, found.scope, found.key) == (BUNDLE.revision, "prod", "bundle-signing")


def test_the_layout_of_json_does_not_count() -> None:
    files = files_of(BUNDLE.archive(Signer()))
    files["/data.json"] = json.dumps(json.loads(files["/data.json"]), indent=2).encode()
    assert read_bundle(packed(files), public(KEY)).problems == ()


def test_another_key_is_noticed() -> None:
    found = read_bundle(BUNDLE.archive(Signer()), public(OTHER))
    assert found.problems == ("its signature is not that of the key",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"/api.rego": b"package api.open\n"}, "api.rego is not what was signed"),
        ({"/data.json": b'{"registry": {}}'}, "data.json is not what was signed"),
        ({"/data.json": b"{"}, "data.json is not what was signed"),
        ({"/more.rego": b"package more\n"}, "more.rego is not signed"),
        ({"/api.rego": None}, "api.rego is missing"),
    ],
    ids=["policy", "data", "no JSON", "one more", "one less"],
)
def test_every_change_is_noticed(changed: dict[str, bytes | None], said: str) -> None:
    files = files_of(BUNDLE.archive(Signer())) | changed
    archive = packed({name: content for name, content in files.items() if content is not None})
    assert read_bundle(archive, public(KEY)).problems == (said,)


@pytest.mark.parametrize(
    "archive", [b"", b"no archive", gzip.compress(b"no archive", mtime=0), packed({"/.manifest": b"{}"})]
)
def test_what_is_no_bundle_is_told(archive: bytes) -> None:
    (problem,) = read_bundle(archive, public(KEY)).problems
    assert problem.startswith("it cannot be read")
