"""Who has locked a stack, and whether that process is still alive.

Pulumi's file backend writes one JSON file for each lock, with process, user, host and time. A process that ends in an
orderly way removes it; ``kill -9`` or a power cut leaves it behind, and nobody can work on the stack any more.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import psutil

from palisade.errors import PalisadeError
from palisade.stack.model import StateFiles

CLOCK_TOLERANCE_SECONDS = 2.0
"""How exact the start time of a process is: the time of the boot is known to a second, and the clock may be slewed."""


class Holder(StrEnum):
    """What became of the process that holds a lock."""

    ALIVE = "alive"
    DEAD = "dead"
    ELSEWHERE = "elsewhere"
    """It ran on another host: from here nobody can tell."""


@dataclass(frozen=True)
class Lock:
    """One lock of a stack.

    Args:
        process: The id of the process that made it.
        user: The user who ran that process.
        host: The name of the machine on which it ran.
        since: When it was made.
        file: The lock file.
    """

    process: int
    user: str
    host: str
    since: datetime
    file: Path

    @property
    def holder(self) -> Holder:
        """Whether the process that made the lock is alive; another one that got its id later is not that process."""
        if self.host != socket.gethostname():
            return Holder.ELSEWHERE
        try:
            process = psutil.Process(self.process)
            started, status = process.create_time(), process.status()
        except psutil.NoSuchProcess:
            return Holder.DEAD
        is_later = started > self.since.timestamp() + CLOCK_TOLERANCE_SECONDS
        return Holder.DEAD if is_later or status == psutil.STATUS_ZOMBIE else Holder.ALIVE

    @property
    def words(self) -> str:
        """The process, user, host and time of the lock, as errors and answers name it."""
        return f"process {self.process} of {self.user}@{self.host}, since {self.since.isoformat(timespec='seconds')}"


def read_locks(files: StateFiles) -> tuple[Lock, ...]:
    """The locks of a stack, the oldest first; none where nobody works on it.

    Raises:
        PalisadeError: a lock file cannot be read.
    """
    paths = files.locks.glob("*.json") if files.locks.is_dir() else ()
    locks = [lock for path in paths if (lock := _read(path)) is not None]
    return tuple(sorted(locks, key=lambda lock: (lock.since, lock.process)))


def _read(path: Path) -> Lock | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(document["timestamp"])
        return Lock(int(document["pid"]), str(document["username"]), str(document["hostname"]), since, path)
    except FileNotFoundError:
        return None  # its process has ended meanwhile
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PalisadeError(
            f"The lock of the stack cannot be read: {error}.",
            where=str(path),
            allowed="the JSON that pulumi writes: pid, username, hostname, timestamp",
            remedy="make sure that no pulumi works on this stack, then remove the file",
        ) from error
