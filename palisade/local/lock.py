"""One process at a time: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(path: Path, *, waiting: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of this name while the block runs; the file goes with the lock.

    Args:
        path: The lock file.
        waiting: Called once with the id of the process that holds the lock, before waiting for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting(os.pread(descriptor, 20, 0).decode("ascii").strip())
                    told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The holder before removed the file when it was done: then this is a lock on a name that nobody sees.
            if not _is_still(path, descriptor):
                continue
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (held.st_dev, held.st_ino)
