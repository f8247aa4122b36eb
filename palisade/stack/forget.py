"""What is left of a local stack when its cluster is gone: nothing."""

from __future__ import annotations

import shutil

from palisade.stack.locks import Holder, read_locks
from palisade.stack.model import StateFiles, local_state_directory, recovery_marker
from palisade.stack.operations import locked


def forget_state(environment: str) -> bool:
    """Remove the state of a local stack, and with the last one the passphrase; nothing in a cluster is touched.

    This is for a cluster that has been removed as a whole. Neither Pulumi nor a sound configuration is needed, and a
    state that is not in Palisade's own directory stays as it is.

    Args:
        environment: The name of the environment, which is the stack's.

    Returns:
        Whether there was anything.

    Raises:
        PalisadeError: somebody works on the stack.
    """
    directory = local_state_directory()
    projects = {path.name for path in (directory / ".pulumi" / "stacks").glob("*") if path.is_dir()}
    stacks = [StateFiles(directory, project, environment) for project in sorted(projects)]
    for lock in (lock for files in stacks for lock in read_locks(files)):
        if lock.holder is Holder.ALIVE:
            raise locked(environment, lock)
    recovery_marker(environment).unlink(missing_ok=True)
    was_there = any(files.exists for files in stacks)
    for path in (path for files in stacks for path in files.own_paths()):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if directory.is_dir() and not any((directory / ".pulumi" / "stacks").glob("*/*.json*")):
        shutil.rmtree(directory)
    return was_there
