"""``palisade stack``: changes the stack of an environment with pulumi itself, and finds the way back after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.project import Project
from palisade.stack.access import to_change, to_read
from palisade.stack.contents import Contents, make_stack, read_contents
from palisade.stack.locks import Holder, Lock, read_locks
from palisade.stack.model import Stack, find_stack, stack_of
from palisade.stack.operations import Operation, perform
from palisade.stack.recovery import Recovery
from palisade.stack.recovery import recover as recover_stack
from palisade.stack.signer import refuse_without_signer

application = typer.Typer(help="Change an environment's stack, and see what holds it up.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]
Recover = Annotated[bool, typer.Option("--recover", help="First do what palisade stack recover does.")]
OPTIONS_OF_PULUMI = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Every other option goes to pulumi as it is."""


@application.command()
def init(environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Make the stack, with the state and the secrets provider of its configuration; one that is there stays."""
    stack = find_stack(Project.find(), environment)
    made = make_stack(to_change(stack))
    if output is OutputFormat.JSON:
        print_json({"stack": environment, "made": made, "backend": stack.backend})
        return
    ANSWER.print(f"The stack {environment} {'is made' if made else 'is there already'}.")


@application.command(context_settings=OPTIONS_OF_PULUMI)
def up(
    context: typer.Context, environment: Environment, *, recover: Recover = False, output: Output = OutputFormat.TEXT
) -> None:
    """Build what the program declares: pulumi up, with the policies; other options are pulumi's own."""
    _perform(Operation.UP, context, environment, output, recover=recover)


@application.command(context_settings=OPTIONS_OF_PULUMI)
def preview(context: typer.Context, environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Show what up would change: pulumi preview, with the policies; other options are pulumi's own."""
    _perform(Operation.PREVIEW, context, environment, output)


@application.command(context_settings=OPTIONS_OF_PULUMI)
def refresh(context: typer.Context, environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Read what is there, and show and record what somebody else has changed: pulumi refresh."""
    _perform(Operation.REFRESH, context, environment, output)


@application.command(context_settings=OPTIONS_OF_PULUMI)
def destroy(context: typer.Context, environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Remove everything that the stack has made: pulumi destroy; the empty stack stays."""
    _perform(Operation.DESTROY, context, environment, output)


@application.command()
def status(environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Say who has locked the stack, whether that process is alive, and what was interrupted."""
    stack = find_stack(Project.find(), environment)
    contents = read_contents(to_read(stack))
    locks = read_locks(stack.files) if stack.files else None
    if output is OutputFormat.JSON:
        print_json(_document(stack, contents, locks))
        return
    ANSWER.print(f"The stack {environment} has {contents.resources} resources, written {contents.written or 'never'}.")
    ANSWER.print(f"State:   {stack.backend or 'where pulumi is logged in'}", soft_wrap=True, markup=False)
    if locks is None:
        ANSWER.print("Lock:    pulumi says it when it is refused; it is only looked up for a state in files")
    for lock in locks or ():
        ANSWER.print(f"Lock:    {lock.words}: {lock.holder}", soft_wrap=True, markup=False)
    for operation in contents.pending:
        ANSWER.print(f"Pending: {operation.words}", soft_wrap=True, markup=False)
    ANSWER.print(f"Next:    {_next(stack, contents, locks or ())}", soft_wrap=True, markup=False)


@application.command()
def recover(environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """After pulumi was killed: take away its lock, find out what it had begun; refused while it lives."""
    pulumi = to_change(find_stack(Project.find(), environment))
    done = recover_stack(pulumi, aside=True)
    if output is OutputFormat.JSON:
        print_json({"stack": environment, **_recovered(done)})
        return
    _tell(done)
    ANSWER.print(f"Go on with: palisade stack up {environment}" if done.was_needed else "There was nothing to recover.")


def _perform(
    operation: Operation, context: typer.Context, environment: str, output: OutputFormat, *, recover: bool = False
) -> None:
    project = Project.find()
    configuration = load_configuration(project, environment)
    pulumi = to_change(stack_of(project, configuration))
    if operation is Operation.UP and "--preview-only" not in context.args:
        refuse_without_signer(pulumi, configuration)
    aside = output is OutputFormat.JSON
    done = recover_stack(pulumi, aside=True) if recover else Recovery((), ())
    outcome = perform(pulumi, operation, context.args, aside=aside)
    if aside:
        document = {"stack": environment, "operation": operation, "changes": dict(outcome.changes)}
        print_json({**document, **_recovered(done)})


def _recovered(done: Recovery) -> dict[str, Any]:
    return {
        "locks_removed": [lock.words for lock in done.locks],
        "interrupted": [operation.words for operation in done.pending],
    }


def _tell(done: Recovery) -> None:
    for lock in done.locks:
        ANSWER.print(f"Lock removed: {lock.words}: {Holder.DEAD}", soft_wrap=True, markup=False)
    for operation in done.pending:
        ANSWER.print(f"Found out:    {operation.words}", soft_wrap=True, markup=False)


def _next(stack: Stack, contents: Contents, locks: Sequence[Lock]) -> str:
    if any(lock.holder is Holder.ALIVE for lock in locks):
        return "wait for that process, or stop it with kill -INT"
    if elsewhere := [lock.host for lock in locks if lock.holder is Holder.ELSEWHERE]:
        return f"palisade stack status {stack.environment} on {', '.join(elsewhere)}"
    if locks or contents.pending:
        return f"palisade stack recover {stack.environment}"
    return f"palisade stack up {stack.environment}"


def _document(stack: Stack, contents: Contents, locks: Sequence[Lock] | None) -> dict[str, Any]:
    return {
        "stack": stack.environment,
        "backend": stack.backend,
        "resources": contents.resources,
        "written": contents.written or None,
        "locks": None if locks is None else [_lock(lock) for lock in locks],
        "pending": [{"kind": one.kind, "urn": one.urn} for one in contents.pending],
        "next": _next(stack, contents, locks or ()),
    }


def _lock(lock: Lock) -> dict[str, Any]:
    return {
        "process": lock.process,
        "user": lock.user,
        "host": lock.host,
        "since": lock.since.isoformat(),
        "holder": lock.holder,
        "file": str(lock.file),
    }
