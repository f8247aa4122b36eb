"""Large files at a second place: one content on the disk where the file system allows it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

_NOT_LINKABLE = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP}
"""Another file system, too many links, or a file system without links (link(2))."""


def link_or_copy(source: Path, target: Path) -> bool:
    """Have a file at another place; it appears there whole or not at all.

    Args:
        source: The file; a link is followed. Whoever renews it must replace it, not write into it.
        target: The other place; its directory is made.

    Returns:
        Whether something had to be done.
    """
    real = source.resolve()
    if target.exists() and _is_same(real, target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.hardlink_to(real)
    except OSError as error:
        if error.errno not in _NOT_LINKABLE:
            raise
        shutil.copy2(real, partial)
    partial.replace(target)
    return True


def _is_same(source: Path, target: Path) -> bool:
    """The same content, or a copy of it: a copy has the size and the time of what it was made from."""
    here, there = source.stat(), target.stat()
    return target.samefile(source) or (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
