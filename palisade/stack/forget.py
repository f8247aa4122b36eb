"""What is left of a local stack when its cluster is gone: nothing."""

from __future__ import annotations

import shutil

from palisade.stack.locks import Holder, read_locks
from palisade.stack.model import Stack, local_state_directory
from palisade.stack.operations import locked


def forget_state(stack: Stack) -> bool:
    """Remove the state of a local stack, and with the last one the passphrase; nothing in a cluster is touched.

    This is for a cluster that has been removed as a whole; Pulumi is not needed for it.

    Args:
        stack: The stack; one whose state is not in Palisade's own directory stays as it is.

    Returns:
        Whether there was anything.

    Raises:
        PalisadeError: somebody works on the stack.
    """
    files = stack.files
    if not stack.is_local or files is None or files.directory != local_state_directory():
        return False
    for lock in read_locks(files):
        if lock.holder is Holder.ALIVE:
            raise locked(stack, lock)
    was_there = files.exists
    for path in files.own_paths():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if files.directory.is_dir() and not any((files.pulumi / "stacks").glob("*/*.json*")):
        shutil.rmtree(files.directory)
    return was_there
