"""Puts a directory of files in place at once: a reader, a crash or a full disk never meets half of it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from palisade.errors import MachineError

_PARTIAL = ".partial"
_ABANDONED_SECONDS = 3600
"""A bundle takes seconds to write: a partial one of an hour ago belongs to a process that was killed."""


def publish(files: Mapping[str, bytes], directory: Path, *, is_latest: bool = True) -> None:
    """Write the files to a new directory and point the link ``latest`` beside it to it.

    Everything is written and flushed to disk under another name first; one rename makes it visible.

    Args:
        files: File names and their content.
        directory: Must not exist yet: evidence is never overwritten.
        is_latest: Whether the link is pointed to it.

    Raises:
        MachineError: the directory exists, or it cannot be written (no space, no permission).
    """
    if directory.exists():
        raise MachineError(
            "There is evidence in this directory already, and evidence is never overwritten.",
            where=str(directory),
            remedy="verify again: each run gets a directory of its own",
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _sweep(directory.parent)
        _write(files, directory)
        if is_latest:
            _point_latest(directory)
    except OSError as error:
        raise _refused(error, directory) from error


def _write(files: Mapping[str, bytes], directory: Path) -> None:
    partial = directory.parent / f".{directory.name}.{secrets.token_hex(4)}{_PARTIAL}"
    partial.mkdir()
    try:
        for name, content in sorted(files.items()):
            with (partial / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _flush_directory(partial)
        partial.rename(directory)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush_directory(directory.parent)


def _point_latest(directory: Path) -> None:
    link = directory.parent / f".latest.{secrets.token_hex(4)}{_PARTIAL}"
    link.symlink_to(directory.name)
    try:
        link.replace(directory.parent / "latest")
    except BaseException:
        link.unlink()
        raise


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left behind."""
    for leftover in parent.glob(f".*{_PARTIAL}"):
        with suppress(FileNotFoundError):  # another process may sweep at the same time
            if time.time() - leftover.lstat().st_mtime < _ABANDONED_SECONDS:
                continue
            if leftover.is_symlink():
                leftover.unlink()
            else:
                shutil.rmtree(leftover, ignore_errors=True)


def _refused(error: OSError, directory: Path) -> MachineError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    remedy = (
        f"make room (df -h {directory.parent}), then verify again"
        if full
        else f"make {directory.parent} a directory that this user may write to, or choose another one"
    )
    return MachineError(
        f"The evidence cannot be written: {error.strerror or error}.", where=str(directory), remedy=remedy
    )
