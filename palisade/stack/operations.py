"""``up``, ``preview`` and the like on a stack: pulumi's own command, refused early where it could only fail late."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from palisade.errors import ExitCode, PalisadeError
from palisade.stack.command import Pulumi
from palisade.stack.failures import CANCELLED, CHANGES_FOUND, NO_STACK, failure
from palisade.stack.locks import Holder, Lock, read_locks
from palisade.stack.model import Stack
from palisade.stack.outcome import Outcome, read_outcome

EVENT_LOG_VARIABLES = {"PULUMI_DEBUG_COMMANDS": "true"}
"""Without it pulumi does not know the option ``--event-log``, which its own Automation API uses."""


class Operation(StrEnum):
    """What can be done to a stack."""

    UP = "up"
    PREVIEW = "preview"
    REFRESH = "refresh"
    DESTROY = "destroy"

    @property
    def is_policed(self) -> bool:
        """Whether the policy pack judges it."""
        return self in {Operation.UP, Operation.PREVIEW}


def perform(pulumi: Pulumi, operation: Operation, options: Sequence[str] = (), *, aside: bool = False) -> Outcome:
    """Run one operation in the user's terminal.

    Args:
        pulumi: Pulumi for the stack.
        operation: What to do.
        options: Pulumi's own options.
        aside: Whether pulumi's display goes to standard error.

    Raises:
        PalisadeError: the stack is locked, or pulumi failed: what it said stands above; with exit code 1 where the
            answer is "no" (a policy refuses it, there are changes where none were expected).
    """
    stack = pulumi.stack
    changes_state = operation is not Operation.PREVIEW and "--preview-only" not in options
    if changes_state:
        refuse_locked(stack)
    policies = ["--policy-pack", str(policy_pack(stack))] if operation.is_policed else []
    with tempfile.TemporaryDirectory(prefix="palisade-") as directory:
        log = Path(directory, "events.json")
        status = pulumi.adding(EVENT_LOG_VARIABLES).show(
            str(operation), *policies, "--event-log", str(log), *options, aside=aside
        )
        outcome = read_outcome(log, status)
    if status != 0:
        locks = read_locks(stack.files) if changes_state and stack.files else ()
        raise locked(stack.environment, locks[0]) if locks else _explained(stack, operation, outcome)
    return outcome


def policy_pack(stack: Stack) -> Path:
    """The policies that every change of a stack has to pass."""
    return stack.project.root / "policies" / "pulumi"


def refuse_locked(stack: Stack) -> None:
    """Refuse to go on while somebody else works on the stack, or has died at it.

    Where the state is no file on this machine, pulumi itself says it.

    Raises:
        PalisadeError: the stack is locked.
    """
    for lock in read_locks(stack.files) if stack.files else ():
        raise locked(stack.environment, lock)


def locked(environment: str, lock: Lock) -> PalisadeError:
    """The error that says who holds a lock and what to do about it."""
    match lock.holder:
        case Holder.ALIVE:
            problem, remedy = "is being changed", f"wait for it to end, or stop it with: kill -INT {lock.process}"
        case Holder.DEAD:
            problem = "was being changed by a process that is dead"
            remedy = f"palisade stack recover {environment}"
        case Holder.ELSEWHERE:
            problem = "is locked from another host"
            remedy = f"on {lock.host}: palisade stack status {environment}"
    return PalisadeError(f"The stack {environment} {problem}: {lock.words}.", where=str(lock.file), remedy=remedy)


def _explained(stack: Stack, operation: Operation, outcome: Outcome) -> PalisadeError:
    where = f"pulumi {operation} --stack {stack.environment}"
    if outcome.status == NO_STACK:
        return failure("no stack named", stack=stack, where=where)
    if outcome.status == CANCELLED:
        return PalisadeError("Stopped.", where=where, exit_code=ExitCode.INTERRUPTED)
    if outcome.violations:
        return PalisadeError(
            f"The policies refuse it: {'; '.join(outcome.violations)}", where=where, exit_code=ExitCode.FINDINGS
        )
    if outcome.status == CHANGES_FOUND:
        return PalisadeError(
            f"The stack {stack.environment} has {outcome.changed} changes, and none were expected.",
            where=where,
            exit_code=ExitCode.FINDINGS,
        )
    return PalisadeError(
        f"pulumi ended with status {outcome.status}; what it said stands above.",
        where=where,
        remedy=f"correct it and run the same command again; palisade stack status {stack.environment} says more",
    )
