"""The way back after pulumi was killed: the lock it left is taken away, and what it had begun is found out."""

from __future__ import annotations

from dataclasses import dataclass

from palisade.local.lock import exclusive
from palisade.project import state_directory
from palisade.stack.command import Pulumi
from palisade.stack.contents import PendingOperation, read_contents
from palisade.stack.interrupted import adopt_interrupted
from palisade.stack.locks import Holder, Lock, read_locks
from palisade.stack.model import recovery_marker
from palisade.stack.operations import Operation, locked, perform


@dataclass(frozen=True)
class Recovery:
    """What a recovery did.

    Args:
        locks: The locks of dead processes, which are gone now.
        pending: What had been interrupted, and is known again now.
    """

    locks: tuple[Lock, ...]
    pending: tuple[PendingOperation, ...]

    @property
    def was_needed(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.locks or self.pending)


def recover(pulumi: Pulumi, *, aside: bool = False) -> Recovery:
    """Make a stack usable again after pulumi was killed; a sound stack stays as it is.

    A lock is only taken away when the process that made it ran on this host and is dead. Objects whose creation was
    interrupted are looked up by their name: those that are there become part of the state, and nothing is left over.

    Args:
        pulumi: Pulumi for the stack.
        aside: Whether pulumi's display goes to standard error.

    Raises:
        PalisadeError: a lock is not that of a dead process of this host, or pulumi failed.
    """
    stack = pulumi.stack
    # Two recoveries at once: the second could take away the lock that the first one's refresh holds.
    with exclusive(state_directory() / f"recover-{stack.environment}.lock", waiting=lambda _: None):
        locks = read_locks(stack.files) if stack.files else ()
        for lock in locks:
            if lock.holder is not Holder.DEAD:
                raise locked(stack.environment, lock)
        pending = read_contents(pulumi).pending
        # A recovery that is killed itself is done again: until the refresh, the state says more than is known.
        unfinished = recovery_marker(stack.environment)
        if locks or pending or unfinished.exists():
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            unfinished.touch()
            if locks:
                pulumi.answer("cancel", "--yes")
            adopt_interrupted(pulumi)
            perform(pulumi, Operation.REFRESH, ["--yes", "--skip-preview"], aside=aside)
            unfinished.unlink()
    return Recovery(locks, pending)
