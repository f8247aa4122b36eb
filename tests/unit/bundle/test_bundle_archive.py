"""A bundle is the same bytes each time, signed by a sufficient key, and no larger than a ConfigMap takes."""

from __future__ import annotations

import base64
import random
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from palisade.bundle.archive import Bundle, manifest_of
from palisade.bundle.build import write_bundle
from palisade.bundle.signing import KeyFileSigner, TransitSigner
from palisade.errors import ConfigurationError, PalisadeError

KEY = rsa.generate_private_key(public_exponent=65537, key_size=3072)


class FixedSigner:
    """Signs nothing."""

    def sign(self, content: bytes) -> bytes:
        del content
        return b"signature"

    def public_key(self) -> str:
        return "key\n"


def bundle(**changed: Any) -> Bundle:
    return Bundle(
        **{"policies": {"a/b.rego": b"package a.b\n"}, "data": {"x": [1, 2]}, "environment": "dev", **changed}
    )


def test_the_order_of_what_it_is_made_from_does_not_count() -> None:
    one = bundle(policies={"a": b"1", "b": b"2"}, data={"x": {"p": 1, "q": 2}})
    other = bundle(policies={"b": b"2", "a": b"1"}, data={"x": {"q": 2, "p": 1}})
    assert one.archive(FixedSigner()) == other.archive(FixedSigner())
    assert one.revision == other.revision


def test_every_change_is_another_revision() -> None:
    revisions = [
        bundle().revision,
        bundle(policies={"a/b.rego": b"package a.c\n"}).revision,
        bundle(policies={"a/c.rego": b"package a.b\n"}).revision,
        bundle(policies={"a/b.rego": b"", "package a.b\n": b""}).revision,
        bundle(data={"x": [2, 1]}).revision,
    ]
    assert len(set(revisions)) == len(revisions)


def test_the_manifest_says_what_it_is_responsible_for() -> None:
    assert manifest_of(bundle().archive(FixedSigner())) == {
        "revision": bundle().revision,
        "roots": ["api/compliance", "registry", "required_headers"],
        "rego_version": 1,
    }


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00cut"])
def test_what_is_no_bundle(content: bytes) -> None:
    with pytest.raises(PalisadeError, match="The file is no bundle"):
        manifest_of(content)


def test_a_bundle_that_fits_no_config_map() -> None:
    noise = random.Random(1).randbytes(1_000_000)  # noqa: S311 - does not compress, is no secret
    with pytest.raises(PalisadeError) as raised:
        bundle(policies={"a": noise}).archive(FixedSigner())
    assert raised.value.problem.startswith("The bundle has 1,00")
    assert raised.value.allowed == "at most 900,000 bytes, which fit a ConfigMap"


def test_it_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "state/bundle.tar.gz"
    assert write_bundle(bundle(), FixedSigner(), file).is_new
    before = file.stat().st_mtime_ns
    assert not write_bundle(bundle(), FixedSigner(), file).is_new
    assert file.stat().st_mtime_ns == before
    assert write_bundle(bundle(data={}), FixedSigner(), file).is_new
    assert sorted(path.name for path in file.parent.iterdir()) == ["bundle-signing.pub", "bundle.tar.gz"]


def pem(key: PrivateKeyTypes, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_a_key_file_signs(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(pem(KEY))
    signer = KeyFileSigner(file)
    KEY.public_key().verify(signer.sign(b"content"), b"content", PKCS1v15(), SHA256())
    assert load_pem_public_key(signer.public_key().encode()) == KEY.public_key()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "It cannot be read as a private key without a passphrase."),
        (b"", "It cannot be read as a private key without a passphrase."),
        (pem(KEY, b"secret"), "It cannot be read as a private key without a passphrase."),
        (pem(ed25519.Ed25519PrivateKey.generate()), "It is not an RSA key of sufficient length."),
        (
            pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
            "It is not an RSA key of sufficient length.",
        ),
    ],
    ids=["absent", "empty", "passphrase", "ed25519", "2048 bits"],
)
def test_refused_keys(tmp_path: Path, content: bytes | None, problem: str) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        KeyFileSigner(file)
    assert raised.value.lines() == [
        ("error", problem),
        ("where", str(file)),
        ("allowed", "an RSA key of at least 3072 bits in a PEM file"),
        ("what to do", f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out {file}"),
    ]


class FakeVault:
    """Answers as Transit does."""

    def __init__(self, key: dict[str, Any] | None) -> None:
        self.key = key
        self.asked: list[tuple[str, Any]] = []

    def read(self, path: str) -> dict[str, Any] | None:
        self.asked.append((path, None))
        return self.key

    def write(self, path: str, data: Any = None) -> dict[str, Any]:
        self.asked.append((path, data))
        return {"signature": f"vault:v2:{base64.b64encode(b'signature').decode()}"}


def test_transit_signs_with_the_newest_version_of_the_key() -> None:
    keys = {"1": {"public_key": "old"}, "2": {"public_key": "new"}}
    vault = FakeVault({"type": "rsa-3072", "latest_version": 2, "keys": keys})
    signer = TransitSigner(vault, "transit", "bundle-signing")
    assert signer.sign(b"content") == b"signature"
    assert signer.public_key() == "new\n"
    question = {"input": base64.b64encode(b"content").decode(), "signature_algorithm": "pkcs1v15"}
    assert vault.asked == [
        ("transit/sign/bundle-signing/sha2-256", question),
        ("transit/keys/bundle-signing", None),
    ]


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "The key bundle-signing is missing."),
        ({"type": "ed25519"}, "The key bundle-signing is ed25519."),
    ],
)
def test_a_key_of_transit_that_opa_cannot_check(key: dict[str, Any] | None, problem: str) -> None:
    with pytest.raises(PalisadeError) as raised:
        TransitSigner(FakeVault(key), "transit", "bundle-signing").public_key()
    assert raised.value.lines() == [
        ("error", problem),
        ("where", "Vault: transit/keys/bundle-signing"),
        ("allowed", "an RSA key, for OPA checks bundles with RS256"),
        ("what to do", "palisade vault apply makes it"),
    ]
