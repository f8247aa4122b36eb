"""What a directory holds, as one digest: whether what was made from it must be made anew."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

KEY_CHARACTERS = 16


def key_of(directory: Path, *, others: Iterable[str] = (), files: Iterable[Path] = ()) -> str:
    """Changes whenever a name, a mode or a byte in the directory does: 16 hexadecimal digits.

    Args:
        directory: The directory, with all below it.
        others: What else the result is made from, in words.
        files: Files elsewhere whose content counts.
    """
    digest = hashlib.sha256("\n".join(others).encode())
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        executable = os.access(path, os.X_OK)
        digest.update(f"{path.relative_to(directory)} {executable} {len(content)}\n".encode())
        digest.update(content)
    for path in files:
        digest.update(digest_of(path))
    return digest.hexdigest()[:KEY_CHARACTERS]


def digest_of(file: Path) -> bytes:
    """The SHA-256 of a file; a large one is read once as long as it stays the same."""
    status = file.stat()
    return _read_digest(file, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _read_digest(file: Path, *_same: int) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
