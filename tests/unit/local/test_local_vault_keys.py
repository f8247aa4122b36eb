"""What a Vault host is given: a certificate that its clients check, and a key that unseals it."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from local_samples import FLEET, with_vault

from palisade.local.vault_keys import SEAL_KEY_BYTES, make_vault_keys

WITH_VAULT = with_vault(FLEET)


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_second_call_changes_nothing(tmp_path: Path) -> None:
    make_vault_keys(tmp_path / "vault", WITH_VAULT)
    first = content(tmp_path)
    make_vault_keys(tmp_path / "vault", WITH_VAULT)
    assert content(tmp_path) == first


def test_nobody_else_reads_a_key(tmp_path: Path) -> None:
    make_vault_keys(tmp_path / "vault", WITH_VAULT)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "vault").rglob("*") if path.is_file()} == {0}
    assert (tmp_path / "vault").stat().st_mode & 0o077 == 0


def test_the_host_is_given_what_it_needs_and_not_the_key_of_the_authority(tmp_path: Path) -> None:
    make_vault_keys(tmp_path / "vault", WITH_VAULT)
    given = content(tmp_path / "vault/hosts/vault-1")
    assert sorted(given) == ["ca.crt", "seal.key", "tls.crt", "tls.key"]
    assert (tmp_path / "vault/authority/authority.key").read_bytes() not in given.values()
    assert [path.name for path in (tmp_path / "vault/hosts").iterdir()] == ["vault-1"]


def test_clients_trust_the_certificate_at_the_address_of_the_host(tmp_path: Path) -> None:
    make_vault_keys(tmp_path / "vault", WITH_VAULT)
    authority = x509.load_pem_x509_certificate((tmp_path / "vault/ca.crt").read_bytes())
    listener = x509.load_pem_x509_certificate((tmp_path / "vault/hosts/vault-1/tls.crt").read_bytes())
    listener.verify_directly_issued_by(authority)
    names = listener.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "vault-1"]
    assert IPv4Address("10.79.0.41") in names.get_values_for_type(x509.IPAddress)


def test_every_fleet_has_a_seal_key_of_its_own_with_256_bits(tmp_path: Path) -> None:
    for fleet in ("one", "two"):
        make_vault_keys(tmp_path / fleet, WITH_VAULT)
    keys = {(tmp_path / fleet / "hosts/vault-1/seal.key").read_text(encoding="ascii") for fleet in ("one", "two")}
    assert len(keys) == 2
    assert {len(bytes.fromhex(key)) for key in keys} == {SEAL_KEY_BYTES} == {32}
