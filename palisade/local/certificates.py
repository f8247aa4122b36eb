"""Certificate authorities and certificates of one fleet: made here, kept in its state directory, renewed in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from palisade.local.processes import write_whole

AUTHORITY_LIFETIME = timedelta(days=3650)
CERTIFICATE_LIFETIME = timedelta(days=365)
RENEWED_BEFORE_END = timedelta(days=30)
"""A certificate with less time than this left is made anew the next time that it is asked for."""
CLOCK_DIFFERENCE = timedelta(minutes=5)
"""How far the clock of whoever checks a new certificate may be behind."""


@dataclass(frozen=True)
class Subject:
    """Who a certificate is for.

    Args:
        name: The common name; Kubernetes takes it as the name of the user.
        groups: The organisations; Kubernetes takes them as the groups of the user.
        names: The names of a server, as its clients type them.
        addresses: The addresses of a server.
    """

    name: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[IPv4Address, ...] = ()

    @property
    def is_server(self) -> bool:
        """Whether somebody connects to it; every certificate may be used by a client."""
        return bool(self.names or self.addresses)

    @property
    def distinguished_name(self) -> x509.Name:
        """The X.509 name."""
        groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in self.groups]
        return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    @property
    def alternative_names(self) -> tuple[x509.GeneralName, ...]:
        """The names and addresses of a server, in the order in which a certificate lists them."""
        return (*map(x509.DNSName, self.names), *map(x509.IPAddress, self.addresses))


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str

    @cached_property
    def parsed(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.certificate.encode())


class Authority:
    """One certificate authority: its own pair and everything that it has issued.

    Args:
        directory: Where its pairs are kept; nobody but the owner may read it.
        name: Its common name.
        now: The time that counts; the machine's unless told.
    """

    def __init__(self, directory: Path, name: str, *, now: datetime | None = None) -> None:
        self._directory = directory
        self._now = now or datetime.now(UTC)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._own = self._read("authority") or self._write("authority", self._self_signed(name))

    @property
    def certificate(self) -> str:
        """The certificate that others trust, PEM."""
        return self._own.certificate

    def issue(self, file: str, subject: Subject) -> Pair:
        """The pair of a subject: the one that is there, unless it ends soon or is about something else.

        Args:
            file: Under which name it is kept.
            subject: Who it is for.
        """
        pair = self._read(file)
        if pair is not None and self._serves(pair.parsed, subject):
            return pair
        return self._write(file, self._signed(subject))

    def _serves(self, certificate: x509.Certificate, subject: Subject) -> bool:
        try:
            extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = tuple(extension.value)
        except x509.ExtensionNotFound:
            names = ()
        return (
            certificate.issuer == self._own.parsed.subject
            and certificate.subject == subject.distinguished_name
            and names == subject.alternative_names
            and certificate.not_valid_after_utc - RENEWED_BEFORE_END > self._now
        )

    def _self_signed(self, name: str) -> Pair:
        key = _new_key()
        subject = Subject(name).distinguished_name
        builder = self._builder(subject, subject, key, AUTHORITY_LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        return _pair(builder.sign(key, hashes.SHA256()), key)

    def _signed(self, subject: Subject) -> Pair:
        key = _new_key()
        own = self._own.parsed
        own_key = cast(EllipticCurvePrivateKey, load_pem_private_key(self._own.key.encode(), password=None))
        builder = self._builder(subject.distinguished_name, own.subject, key, CERTIFICATE_LIFETIME)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH] if subject.is_server else []
        builder = builder.add_extension(x509.ExtendedKeyUsage([*uses, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()), critical=False
        )
        if subject.alternative_names:
            names = x509.SubjectAlternativeName(subject.alternative_names)
            builder = builder.add_extension(names, critical=False)
        return _pair(builder.sign(own_key, hashes.SHA256()), key)

    def _builder(
        self, subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, lifetime: timedelta
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(self._now - CLOCK_DIFFERENCE).not_valid_after(self._now + lifetime)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return builder.add_extension(identifier, critical=False)

    def _read(self, file: str) -> Pair | None:
        certificate, key = self._paths(file)
        # The certificate is written last, so a pair without it was never finished.
        if not certificate.exists():
            return None
        return Pair(certificate.read_text(encoding="ascii"), key.read_text(encoding="ascii"))

    def _write(self, file: str, pair: Pair) -> Pair:
        certificate, key = self._paths(file)
        certificate.unlink(missing_ok=True)
        write_whole(key, pair.key)
        write_whole(certificate, pair.certificate)
        return pair

    def _paths(self, file: str) -> tuple[Path, Path]:
        return self._directory / f"{file}.crt", self._directory / f"{file}.key"


def new_private_key() -> str:
    """A new key on the curve P-256, PEM (PKCS #8)."""
    return _key_text(_new_key())


def public_key(private: str) -> str:
    """The public half of a private key, PEM."""
    key = load_pem_private_key(private.encode(), password=None).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def _new_key() -> EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_text(key: EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _pair(certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> Pair:
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), _key_text(key))


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    signs: Iterable[str] = ("key_cert_sign", "crl_sign") if authority else ("digital_signature",)
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names = (*every, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in signs for name in names})
