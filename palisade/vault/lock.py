"""One apply at a time: a lock in Vault itself, so that it holds for everybody who changes this Vault from anywhere.

An entry of the KV engine is written with check-and-set: of two who write at once, one is refused by Vault. The lock
ends by itself, by the clock of the server, when its holder has died; no clock of a client counts.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from palisade.errors import PalisadeError

if TYPE_CHECKING:
    from palisade.vault.client import Vault

LOCK_SECONDS = 600.0
"""How long a lock holds; an apply takes seconds."""
_MARGIN_SECONDS = 60.0
_REFUSED = "check-and-set parameter did not match"


@dataclass(frozen=True)
class Held:
    """A lock that this process holds."""

    path: str
    started: float

    def require(self) -> None:
        """Refuse to go on when the lock is about to end.

        Raises:
            PalisadeError: it is.
        """
        if time.monotonic() - self.started > LOCK_SECONDS - _MARGIN_SECONDS:
            raise PalisadeError(
                "This took so long that the lock ends: somebody else may begin.",
                where=self.path,
                remedy="run the same command again; it goes on where this one stopped",
            )


@contextmanager
def exclusive(vault: Vault, path: str) -> Iterator[Held]:
    """Hold the lock while the block runs.

    Args:
        vault: The connection.
        path: An entry of the KV engine, with ``data`` after the mount.

    Raises:
        PalisadeError: somebody else holds it; nothing was changed.
    """
    data, version = vault.entry(path)
    now = vault.now()
    if data and float(data["ends"]) > now:
        raise _taken(path, data)
    mine = {
        "holder": f"{getpass.getuser()} on {socket.gethostname()}, process {os.getpid()}",
        "nonce": secrets.token_hex(8),
        "since": now,
        "ends": now + LOCK_SECONDS,
    }
    started = time.monotonic()
    try:
        written = vault.write(path, {"options": {"cas": version}, "data": mine})
    except PalisadeError as error:
        if _REFUSED not in error.problem:
            raise
        data, _ = vault.entry(path)
        raise _taken(path, data or {"holder": "somebody else", "since": now, "ends": now}) from error
    try:
        yield Held(path, started)
    finally:
        _release(vault, path, int(written["version"]))


def _release(vault: Vault, path: str, version: int) -> None:
    try:
        vault.write(path, {"options": {"cas": version}, "data": {}})
    except PalisadeError as error:
        # It ended while it was held and is somebody else's now.
        if _REFUSED not in error.problem:
            raise


def _taken(path: str, data: dict[str, Any]) -> PalisadeError:
    return PalisadeError(
        f"{data['holder']} is changing this Vault since {_time(data['since'])}; nothing was changed.",
        where=path,
        remedy=f"wait until that is done; if that process has died, the lock ends by itself at {_time(data['ends'])}",
    )


def _time(seconds: Any) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).strftime("%H:%M:%S UTC")
