"""Certificates that the roles issue and refuse, read with the library and checked with openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hvac.exceptions
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from vault_place import Place

IDENTITY = "spiffe://palisade.here/ns/palisade-registry/sa/registry"
BEGINS_EARLY = timedelta(seconds=1)
"""The least that the server takes; its default is half a minute."""
KEYS = {
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


@dataclass(frozen=True)
class Wish:
    """What a request asks for."""

    name: str = ""
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ttl: str = "24h"
    key: str = "ec"
    more: dict[str, Any] = field(default_factory=dict)

    def request(self) -> str:
        """As cert-manager sends it: everything is in the request itself."""
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name)] if self.name else [])
        alternatives: list[x509.GeneralName] = [
            *map(x509.DNSName, self.names),
            *(x509.IPAddress(ip_address(address)) for address in self.addresses),
            *map(x509.UniformResourceIdentifier, self.uris),
        ]
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        request = builder.sign(KEYS[self.key](), hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()


def sign(place: Place, wish: Wish) -> dict[str, Any]:
    data = {"csr": wish.request(), "ttl": wish.ttl, **wish.more}
    client = place.server.client(place.server.new_token("palisade-cert-manager"))
    answer: dict[str, Any] = client.write_data("pki/sign/workloads", data=data)["data"]
    return answer


API = "api.palisade.internal"
ACCEPTED = {
    "the edge": Wish(API, (API,), ("10.20.0.21",), (IDENTITY,)),
    "an RSA key": Wish(API, (API,), key="rsa"),
    "only an identity": Wish(uris=(IDENTITY,)),
    "an hour": Wish(API, (API,), ttl="1h"),
}


@pytest.mark.parametrize("wish", ACCEPTED.values(), ids=ACCEPTED)
def test_a_pod_gets_what_it_asks_for_and_no_more(wish: Wish, place: Place, tmp_path: Path) -> None:
    answer = sign(place, wish)
    certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(alternatives.get_values_for_type(x509.DNSName)) == wish.names
    assert tuple(map(str, alternatives.get_values_for_type(x509.IPAddress))) == wish.addresses
    assert tuple(alternatives.get_values_for_type(x509.UniformResourceIdentifier)) == wish.uris
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert life == timedelta(hours=int(wish.ttl.removesuffix("h"))) + BEGINS_EARLY
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert {usage.dotted_string for usage in usages} == {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}
    for name, text in (
        ("leaf", answer["certificate"]),
        ("root", (place.vault_state / "root.crt").read_text(encoding="utf-8")),
        ("chain", "\n".join(answer["ca_chain"])),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    checked = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", "root", "-untrusted", "chain", "leaf"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout == "leaf: OK\n", checked.stderr


REFUSED = {
    "another name": (Wish("db-1", ("db-1",)), "db-1"),
    "a name below": (Wish(API, (f"v1.{API}",)), f"v1.{API}"),
    "a wildcard": (Wish(API, ("*.palisade.internal",)), "*.palisade.internal"),
    "localhost": (Wish(API, ("localhost",)), "localhost"),
    "another address": (Wish(API, (API,), ("10.20.0.51",)), "10.20.0.51"),
    "loopback": (Wish(API, (API,), ("127.0.0.1",)), "127.0.0.1"),
    "another trust domain": (Wish(uris=("spiffe://palisade.prod/ns/palisade-registry/sa/registry",)), "URI"),
    "a trust domain that begins so": (Wish(uris=("spiffe://palisade.here.evil/ns/a/sa/b",)), "URI"),
    "no SPIFFE identity": (Wish(uris=("https://palisade.here/ns/a/sa/b",)), "URI"),
    "no service account": (Wish(uris=("spiffe://palisade.here/admin",)), "URI"),
}


@pytest.mark.parametrize(("wish", "named"), REFUSED.values(), ids=REFUSED)
def test_a_pod_is_refused_what_is_not_its_own(wish: Wish, named: str, place: Place) -> None:
    with pytest.raises(hvac.exceptions.InvalidRequest) as refused:
        sign(place, wish)
    assert named in str(refused.value)


def test_nobody_gets_more_than_an_hour_above_a_day(place: Place) -> None:
    certificate = x509.load_pem_x509_certificate(sign(place, Wish(API, (API,), ttl="8760h"))["certificate"].encode())
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(hours=25) + BEGINS_EARLY


HOSTS = {
    "its name": ({"common_name": "db-1"}, True),
    "its name in the domain": ({"common_name": "db-1.palisade.internal", "ip_sans": "10.20.0.51"}, True),
    "both": ({"common_name": "db-1", "alt_names": "db-1.palisade.internal"}, True),
    "the name of the edge": ({"common_name": API}, False),
    "a name below its own": ({"common_name": "x.db-1.palisade.internal"}, False),
    "the domain": ({"common_name": "palisade.internal"}, False),
    "an address of nobody": ({"common_name": "db-1", "ip_sans": "10.20.0.99"}, False),
    "an identity of a pod": ({"common_name": "db-1", "uri_sans": IDENTITY}, False),
    "no name": ({}, False),
}


EDGE = {
    "its name and that of the edge": (
        {"common_name": "registry-1", "alt_names": API, "ip_sans": "10.20.0.21"},
        True,
    ),
    "the name of the edge": ({"common_name": API}, True),
    "the name of a host that is no edge": ({"common_name": "db-1", "alt_names": API}, False),
    "the address of such a host": ({"common_name": API, "ip_sans": "10.20.0.51"}, False),
    "a name below that of the edge": ({"common_name": f"v1.{API}"}, False),
}
GROUPS = {
    **{f"database: {name}": ("database", "hosts", *row) for name, row in HOSTS.items()},
    **{f"registry: {name}": ("registry", "edge", *row) for name, row in EDGE.items()},
}


@pytest.mark.parametrize(("group", "role", "wish", "given"), GROUPS.values(), ids=GROUPS)
def test_a_host_gets_a_certificate_for_what_it_is(
    group: str,
    role: str,
    wish: dict[str, str],
    given: bool,  # noqa: FBT001
    place: Place,
) -> None:
    client = place.server.client(place.server.new_token(f"palisade-host-{group}"))
    if not given:
        with pytest.raises(hvac.exceptions.InvalidRequest):
            client.write_data(f"pki/issue/{role}", data=wish)
        return
    issued = client.write_data(f"pki/issue/{role}", data=wish)["data"]
    certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(hours=24) + BEGINS_EARLY
    assert issued["private_key"].startswith("-----BEGIN EC PRIVATE KEY-----")


def test_the_root_signs_one_authority_and_that_one_signs_none(place: Place) -> None:
    client = place.server.client()
    chain = client.read("pki/cert/ca_chain")["data"]["certificate"]
    intermediate, root = x509.load_pem_x509_certificates(chain.encode())
    lengths = [
        one.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length for one in (intermediate, root)
    ]
    assert lengths == [0, 1]
    assert client.list("pki-root/roles") is None, "nobody can have a certificate from the root"
    for mount in ("pki", "pki-root"):
        (key,) = client.list(f"{mount}/keys")["data"]["keys"]
        assert "private_key" not in client.read(f"{mount}/key/{key}")["data"]
