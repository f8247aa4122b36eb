"""Where built programs are kept: one directory per program and key, below the user's cache.

The key is a digest of all that decides what is built, so a changed pin is another directory, and a directory that
exists is complete: it appears by one rename when everything is in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import MachineError
from palisade.project import cache_directory
from palisade.tools.catalogue import Program
from palisade.tools.toolchain import Go

_KEY_CHARACTERS = 16


@dataclass(frozen=True)
class CacheEntry:
    """The place of one built program."""

    program: str
    key: str
    """Name of the directory: program, version and digest."""
    root: Path
    """The cache of all tools."""

    @property
    def directory(self) -> Path:
        """Where the program and its scripts are; exists only when complete."""
        return self.root / self.key

    @property
    def executable(self) -> Path:
        """The program itself."""
        return self.directory / self.program

    @property
    def unfinished(self) -> Path:
        """Where it is being built; belongs to whoever holds the lock."""
        return self.root / "unfinished" / self.key

    @property
    def log(self) -> Path:
        """What the last build said."""
        return self.root / "logs" / f"{self.key}.log"

    @property
    def is_complete(self) -> bool:
        """Whether the program is there."""
        return self.executable.is_file()

    @contextmanager
    def lock(self, *, on_wait: Callable[[], None]) -> Iterator[int]:
        """Hold the exclusive right to build this entry; yields the file descriptor that carries it.

        Args:
            on_wait: Called once if someone else holds it, before waiting.
        """
        path = self.root / "locks" / f"{self.key}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()

    def fill(self, make: Callable[[int], object], *, on_wait: Callable[[], None]) -> bool:
        """Make what is not there; what someone else makes at the same time is waited for and used.

        Args:
            make: Puts everything into :attr:`unfinished`; called with the file descriptor that carries the lock.
            on_wait: Called once if someone else makes it, before waiting.

        Returns:
            Whether it was made now.

        Raises:
            MachineError: the cache cannot be written.
        """
        try:
            with self.lock(on_wait=on_wait) as lock:
                if self.is_complete:
                    return False
                self.start_afresh()
                try:
                    make(lock)
                    self.publish()
                finally:
                    shutil.rmtree(self.unfinished, ignore_errors=True)
        except OSError as error:
            raise MachineError(
                f"The cache of programs cannot be used: {error.strerror}.",
                where=str(error.filename or self.root),
                remedy="make it writable, or set XDG_CACHE_HOME to a directory with a few GiB of free space",
            ) from error
        return True

    def start_afresh(self) -> None:
        """Make the empty directory to build in; what a killed build left there is removed."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        self.unfinished.mkdir(parents=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def publish(self) -> None:
        """Make the finished build visible, whole or not at all, also after a power cut."""
        for path in self.unfinished.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        # A directory without the program can only be the work of someone who cleaned up by hand.
        shutil.rmtree(self.directory, ignore_errors=True)
        self.unfinished.rename(self.directory)


def fetched_entry(program: str, version: str, digest: str) -> CacheEntry:
    """The place of a file that is fetched and not built.

    Args:
        program: The name of the file.
        version: Its version, for people.
        digest: What it is.
    """
    return CacheEntry(program=program, key=f"{program}-{version}-{digest[:_KEY_CHARACTERS]}", root=cache_root())


def cache_root() -> Path:
    """Where all built programs are; it can be removed at any time, the next command builds what it needs again."""
    return cache_directory() / "tools"


def cache_entry(program: Program, go: Go, command: Sequence[str]) -> CacheEntry:
    """The place of a program for exactly these pins, sources, build command, Go version and platform.

    Args:
        program: The program; its folder holds ``go.mod``, ``go.sum`` and perhaps ``main.go``.
        go: The toolchain that builds it.
        command: The arguments of ``go``, without the place of the result.
    """
    facts = [go.version, go.system, go.architecture, list(command), list(program.module.beside)]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for path in sorted([program.folder / "go.mod", program.folder / "go.sum", *program.folder.glob("*.go")]):
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    key = f"{program.name}-{program.module.version}-{digest.hexdigest()[:_KEY_CHARACTERS]}"
    return CacheEntry(program=program.name, key=key, root=cache_root())
