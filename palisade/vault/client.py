"""Talks to Vault through hvac; whatever goes wrong becomes an error that says what, where and what to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import hvac
import hvac.exceptions
import requests

from palisade.errors import PalisadeError
from palisade.vault.access import VaultAccess
from palisade.vault.authorities import machine_authorities

TIMEOUT_SECONDS = 15.0
"""How long one answer may take; an idle server answers within 0.01 s, a new 3072-bit key takes a second."""
_UPGRADE_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_NOT_YET = "Upgrading from non-versioned to versioned data"
_ValueT = TypeVar("_ValueT")
Data = dict[str, Any]


class Vault:
    """A connection to the active server; a context manager.

    Args:
        access: How it is reached.
    """

    def __init__(self, access: VaultAccess) -> None:
        self.access = access
        session = requests.Session()
        session.verify = str(access.ca_file or machine_authorities())
        session.trust_env = False  # the token goes through no proxy that a variable names
        self._client = hvac.Client(
            url=access.address,
            token=access.token,
            session=session,
            verify=session.verify,
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        self._session = session

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def require_ready(self) -> None:
        """Ask for its health, and whether the token is accepted.

        Raises:
            PalisadeError: it does not answer, is sealed, not initialised or a standby, or refuses the token.
        """
        if self.require_open().get("standby"):
            with self._explained("sys/leader"):
                leader = self._client.adapter.get("/v1/sys/leader")
            active = leader.get("leader_address") if isinstance(leader, dict) else None
            raise self._refusal(
                "This server is a standby; only the active one may be changed.",
                f"set vault.address to {active}" if active else "no server is active now: look at bao operator raft",
            )
        try:
            self._client.adapter.get("/v1/auth/token/lookup-self")
        except hvac.exceptions.Forbidden as error:
            raise PalisadeError(
                "Vault does not accept the token: it has expired, was revoked, or belongs to another Vault.",
                where=f"{self.access.address}, token from {self.access.token_from}",
                allowed="a token that is valid now: bao token lookup",
                remedy=self._new_token,
            ) from error

    def require_open(self) -> Data:
        """Ask for its health, which needs no token, and return it.

        Raises:
            PalisadeError: it does not answer, is sealed or not initialised.
        """
        health = self.health()
        if not health.get("initialized"):
            raise self._refusal("Vault is not initialised.", f"initialise it: bao operator init; or {self._start}")
        if health.get("sealed"):
            raise self._refusal("Vault is sealed: it cannot read its own data.", self._unseal)
        return health

    def health(self) -> Data:
        """What the server says about itself, whatever its state is."""
        parameters = "standbyok=true&sealedcode=200&uninitcode=200&perfstandbyok=true"
        answer: Any = None
        with self._explained("sys/health"), suppress(hvac.exceptions.InvalidPath, hvac.exceptions.UnexpectedError):
            answer = self._client.adapter.get(f"/v1/sys/health?{parameters}")
        if not isinstance(answer, dict) or "sealed" not in answer:
            raise self._refusal("Whoever answers there is not Vault.", "correct vault.address")
        return answer

    def now(self) -> float:
        """The time of the server, in seconds since 1970: the same for everybody who asks."""
        return float(self.health()["server_time_utc"])

    def read(self, path: str) -> Data | None:
        """What stands at a path; None if nothing does."""
        return _data(self._once_ready(path, lambda: self._client.read(path)))

    def entry(self, path: str) -> tuple[Data, int]:
        """What an entry of the KV engine holds, and its version for check-and-set; also after it was deleted.

        Args:
            path: The entry, with ``data`` after the mount.
        """
        found = self.read(path)
        if found is not None and found.get("data") is not None:
            return found["data"], int(found["metadata"]["version"])
        mount, _, name = path.partition("/data/")
        return {}, int((self.read(f"{mount}/metadata/{name}") or {}).get("current_version", 0))

    def list(self, path: str) -> tuple[str, ...]:
        """The names below a path, sorted; none if nothing is there."""
        with self._explained(path):
            answer = self._client.list(path)
        return tuple(sorted((_data(answer) or {}).get("keys") or ()))

    def write(self, path: str, data: Mapping[str, Any] | None = None) -> Data:
        """Write to a path and return the data of the answer."""
        answer = self._once_ready(path, lambda: self._client.write_data(path, data=dict(data or {})))
        return _data(answer) or {}

    def wrapped(self, path: str, data: Mapping[str, Any], *, seconds: int) -> str:
        """Write to a path; the answer stays in Vault, and the token that is returned reads it once.

        Args:
            path: The path.
            data: What is written.
            seconds: How long the token can be used.
        """
        with self._explained(path):
            answer = self._client.write_data(path, data=dict(data), wrap_ttl=f"{seconds}s")
        return str(answer["wrap_info"]["token"])

    def login(self, path: str, data: Mapping[str, Any]) -> str:
        """Log in at an auth method; returns the token, and goes on with the one that was there."""
        with self._explained(path):
            answer = self._client.adapter.login(f"/v1/{path}", use_token=False, json=dict(data))
        return str(answer["auth"]["client_token"])

    def delete(self, path: str) -> None:
        """Remove what stands at a path."""
        with self._explained(path):
            self._client.delete(path)

    def _once_ready(self, path: str, act: Callable[[], _ValueT]) -> _ValueT:
        deadline = time.monotonic() + _UPGRADE_SECONDS
        while True:
            try:
                with self._explained(path):
                    return act()
            except PalisadeError as error:
                if _NOT_YET not in error.problem or time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)  # a new KV engine says so for a moment

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        where = f"{self.access.address}/v1/{path}"
        try:
            yield
        except requests.exceptions.SSLError as error:
            raise self._not_trusted(str(error)) from error
        except requests.exceptions.Timeout as error:
            raise self._refusal(f"Vault does not answer within {TIMEOUT_SECONDS:.0f} s.", self._start) from error
        except requests.exceptions.RequestException as error:
            raise self._refusal(f"Vault does not answer: {_reason(error)}.", self._start) from error
        except hvac.exceptions.VaultDown as error:
            raise self._refusal("Vault is sealed: it cannot read its own data.", self._unseal) from error
        except hvac.exceptions.Forbidden as error:
            raise PalisadeError(
                "The token may not do this.",
                where=f"{where}, token from {self.access.token_from}",
                allowed=_who_may(path),
                remedy=self._new_token,
            ) from error
        except hvac.exceptions.VaultError as error:
            said = "; ".join(" ".join(text.split()) for text in error.errors or [error.args[0] or "no reason"]).rstrip(
                "."
            )
            raise PalisadeError(f"Vault refuses: {said}.", where=where) from error

    def _not_trusted(self, said: str) -> PalisadeError:
        if "Hostname mismatch" in said or "IP address mismatch" in said or "doesn't match" in said:
            what = "The certificate of Vault is for another name or address."
            remedy = "correct vault.address, or give Vault a certificate for it"
        elif "certificate has expired" in said:
            what = "The certificate of Vault has expired."
            remedy = "renew the certificate of Vault"
        elif "certificate verify failed" in said:
            what = "The certificate of Vault is signed by nobody who is trusted."
            remedy = "set vault.ca_file to the certificate of who signed it; nothing was sent to it"
        else:
            what = f"No TLS connection to Vault can be made: {said.rsplit(':', 1)[-1].strip(' )')}."
            remedy = "correct vault.address"
        return PalisadeError(what, where=f"{self.access.address}, trusted: {self.access.trusted}", remedy=remedy)

    def _refusal(self, problem: str, remedy: str) -> PalisadeError:
        return PalisadeError(problem, where=self.access.address, remedy=remedy)

    @property
    def _start(self) -> str:
        return self.access.start

    @property
    def _unseal(self) -> str:
        if self.access.is_local:
            return "ansible-playbook playbooks/vault.yml starts it again, which unseals it; nothing was changed"
        return "unseal it (bao operator unseal, or look at its seal); nothing was changed"

    @property
    def _new_token(self) -> str:
        if self.access.is_local:
            return f"remove {self.access.token_from} and run ansible-playbook playbooks/vault.yml"
        return f"log in again: bao login -address={self.access.address}"


def _who_may(path: str) -> str:
    if path.startswith("sys/policies/"):
        return "the root token, or another that may write policies; palisade-operator may not (docs/vault.md)"
    return "the root token, or one with the policy palisade-operator (docs/vault.md)"


def _data(answer: Any) -> Data | None:
    if not isinstance(answer, dict):
        return None
    data = answer.get("data")
    return data if isinstance(data, dict) else None


def _reason(error: requests.exceptions.RequestException) -> str:
    text = str(error)
    for sign, words in (
        ("Connection refused", "the connection is refused"),
        ("Name or service not known", "the name is not known"),
        ("Temporary failure in name resolution", "the name is not known"),
        ("No route to host", "there is no route to it"),
        ("Network is unreachable", "its network cannot be reached"),
        ("Remote end closed connection", "it closes the connection"),
        ("reset by peer", "it closes the connection"),
    ):
        if sign in text:
            return words
    return type(error).__name__
