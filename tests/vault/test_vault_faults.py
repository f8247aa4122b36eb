"""What a user is told when Vault cannot be used: the exact words, from real servers in each state."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import make, session_in
from vault_place import ENVIRONMENT, Place, server

from palisade.errors import PalisadeError
from palisade.local.certificates import Authority
from tests.control_plane.processes import free_ports


def said(place: Place) -> str:
    with pytest.raises(PalisadeError) as refused, session_in(place):
        pass
    return str(refused.value)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what is said; ``{address}``, ``{state}`` and ``{home}`` are those of the test."""

    do: Callable[[Place], Any]
    lines: tuple[str, ...]


def _token(text: str) -> Callable[[Place], Any]:
    return lambda place: (place.vault_state / "root-token").write_text(text, encoding="utf-8")


def _another_authority(place: Place) -> None:
    other = Authority(place.directory / "other", "somebody else")
    (place.vault_state / "ca.crt").write_text(other.certificate, encoding="utf-8")


def _expired(place: Place) -> None:
    made = place.server.client().write_data("auth/token/create", data={"policies": ["root"], "ttl": "1h"})
    token = made["auth"]["client_token"]
    place.server.client().write_data("auth/token/revoke", data={"token": token})
    _token(token)(place)


def _no_token(place: Place) -> None:
    (place.vault_state / "root-token").unlink()


def _no_authority(place: Place) -> None:
    (place.vault_state / "ca.crt").unlink()


def _nobody(place: Place) -> None:
    place.write(vault={"address": f"https://127.0.0.1:{free_ports(1)[0]}"})


def _unknown_name(place: Place) -> None:
    place.write(vault={"address": "https://vault.invalid:8200"})


NOT_ACCEPTED = (
    "error: Vault does not accept the token: it has expired, was revoked, or belongs to another Vault.",
    "where: {address}, token from {state}/root-token",
    "allowed: a token that is valid now: bao token lookup",
    "what to do: remove {state}/root-token and run ansible-playbook playbooks/vault.yml",
)
START = "what to do: palisade local up --environment here, then ansible-playbook playbooks/vault.yml"
FAULTS = {
    "a token of another Vault": Fault(_token("s.somebody-else"), NOT_ACCEPTED),
    "a token that has ended": Fault(_expired, NOT_ACCEPTED),
    "no token": Fault(
        _no_token,
        (
            "error: There is no token for the Vault of here.",
            "where: {address}",
            "allowed: a token in {state}/root-token or in VAULT_TOKEN or in {home}/.vault-token",
            "what to do: ansible-playbook playbooks/vault.yml writes it, or log in: bao login -address={address} "
            "(vault login for HashiCorp Vault)",
        ),
    ),
    "another authority": Fault(
        _another_authority,
        (
            "error: The certificate of Vault is signed by nobody who is trusted.",
            "where: {address}, trusted: {state}/ca.crt",
            "what to do: set vault.ca_file to the certificate of who signed it; nothing was sent to it",
        ),
    ),
    "no authority": Fault(
        _no_authority,
        (
            "error: The certificate that Vault is checked with is not there.",
            "where: {state}/ca.crt",
            "allowed: a PEM file with the certificate of who signed that of Vault",
            "what to do: ansible-playbook playbooks/vault.yml makes it",
        ),
    ),
    "nobody there": Fault(
        _nobody, ("error: Vault does not answer: the connection is refused.", "where: https://127.0.0.1:", START)
    ),
    "a name that is not known": Fault(
        _unknown_name,
        ("error: Vault does not answer: the name is not known.", "where: https://vault.invalid:8200", START),
    ),
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server for the tests of this module; nothing is declared in it."""
    yield from make(tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_said(fault: Fault, own: Place) -> None:
    fault.do(own)
    try:
        lines = said(own).splitlines()
    finally:
        own.write()
    values = {
        "address": own.server.address,
        "state": str(own.vault_state),
        "home": str(own.directory / "home"),
    }
    expected = [line.format(**values) for line in fault.lines]
    assert len(lines) == len(expected)
    for line, start in zip(lines, expected, strict=True):
        assert line == start or (start.endswith(":") and line.startswith(start))


def test_a_certificate_for_another_name(own: Place) -> None:
    own.write(vault={"address": f"https://127.1:{own.server.port}"})  # 127.0.0.1, written in another way
    try:
        lines = said(own).splitlines()
    finally:
        own.write()
    assert lines == [
        "error: The certificate of Vault is for another name or address.",
        f"where: https://127.1:{own.server.port}, trusted: {own.vault_state / 'ca.crt'}",
        "what to do: correct vault.address, or give Vault a certificate for it",
    ]


def test_somebody_else_answers(own: Place) -> None:
    listener = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    keys = own.server.directory / "keys"
    context.load_cert_chain(keys / "bao.crt", keys / "bao.key")
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    address = f"https://127.0.0.1:{listener.server_port}"
    own.write(vault={"address": address})
    try:
        text = said(own)
    finally:
        own.write()
        listener.shutdown()
    assert text.splitlines() == [
        "error: Whoever answers there is not Vault.",
        f"where: {address}",
        "what to do: correct vault.address",
    ]


def test_a_standby_names_the_active_server(own: Place, tmp_path: Path) -> None:
    with server(tmp_path, leader=own.server) as standby:
        own.write(vault={"address": standby.address})
        (own.vault_state / "ca.crt").write_text(standby.authority.read_text(encoding="utf-8"), encoding="utf-8")
        text = said(own)
    own.write()
    assert text.splitlines() == [
        "error: This server is a standby; only the active one may be changed.",
        f"where: {standby.address}",
        f"what to do: set vault.address to {own.server.address}",
    ]


def test_a_sealed_server_and_one_that_stopped_and_came_back(tmp_path: Path) -> None:
    for place in make(tmp_path):
        with session_in(place) as session:
            place.server.client().sys.seal()
            with pytest.raises(PalisadeError) as refused:
                session.vault.read("sys/mounts")
            assert refused.value.problem == "Vault is sealed: it cannot read its own data."
        sealed = place.palisade("vault", "apply", ENVIRONMENT)
        assert sealed.returncode == 5
        assert sealed.stderr.splitlines() == [
            "error: Vault is sealed: it cannot read its own data.",
            f"where: {place.server.address}",
            "what to do: ansible-playbook playbooks/vault.yml starts it again, which unseals it; nothing was changed",
        ]
        place.server.stop()
        assert said(place).splitlines()[0] == "error: Vault does not answer: the connection is refused."
        place.server.start()
        place.server.wait_until_active()
        with session_in(place):
            pass


def test_a_server_that_was_never_initialised(tmp_path: Path) -> None:
    for place in make(tmp_path):
        place.server.stop()
        for file in sorted((place.server.directory / "data").rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        place.server.start()
        assert said(place).splitlines() == [
            "error: Vault is not initialised.",
            f"where: {place.server.address}",
            "what to do: initialise it: bao operator init; or palisade local up --environment here, "
            "then ansible-playbook playbooks/vault.yml",
        ]
