"""``palisade vault``: what is inside Vault or OpenBao: certificate authorities, signing keys, logins, secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from palisade.console import ANSWER, PROGRESS, OutputFormat, print_json
from palisade.errors import ExitCode
from palisade.project import Project
from palisade.vault.changes import Action, Change
from palisade.vault.enrolment import enrol
from palisade.vault.people import identity_token
from palisade.vault.planning import apply as apply_changes
from palisade.vault.planning import make_plan
from palisade.vault.session import Session, vault_session

application = typer.Typer(help="Set up what is inside Vault or OpenBao, and check it.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


@application.command()
def plan(environment: Environment, *, output: Output = OutputFormat.TEXT) -> None:
    """Show each difference between what is declared and what is in Vault; nothing is changed."""
    with vault_session(Project.find(), environment) as session:
        _show(session, make_plan(session.context, session.declared).changes, output)


@application.command()
def apply(environment: Environment, *, output: Output = OutputFormat.TEXT) -> None:
    """Change what differs, and nothing else; one apply at a time."""
    with vault_session(Project.find(), environment) as session:

        def told(change: Change) -> None:
            PROGRESS.print(f"{change.action:<7} {change.path}", markup=False, soft_wrap=True)

        made = apply_changes(session.context, session.declared, lock=session.lock, told=told)
        root = session.write_root_certificate()
        if output is OutputFormat.JSON:
            print_json({**_document(session, made), "root_certificate": str(root)})
            return
        waiting = [change for change in made if change.action is Action.WAIT]
        ANSWER.print(f"{len(made) - len(waiting)} changes in {session.vault.access.address}", markup=False)
        for change in waiting:
            ANSWER.print(f"Not yet: {change.path}: {change.reason}", markup=False, soft_wrap=True)
        ANSWER.print(f"Root certificate: {root}", markup=False, soft_wrap=True)


@application.command()
def verify(environment: Environment, *, output: Output = OutputFormat.TEXT) -> None:
    """Compare as plan does; exits with 1 if anything differs."""
    with vault_session(Project.find(), environment) as session:
        changes = make_plan(session.context, session.declared).changes
        _show(session, changes, output)
    if changes:
        raise typer.Exit(ExitCode.FINDINGS)


@application.command()
def enroll(environment: Environment, host: Annotated[str, typer.Argument(help="The name of the host.")]) -> None:
    """Print, as JSON, what a host needs for its first login: its secret id is wrapped and can be read once."""
    with vault_session(Project.find(), environment) as session:
        print_json(enrol(session.vault, session.configuration, host).document())


@application.command()
def token(
    environment: Environment,
    *,
    person: Annotated[str, typer.Option("--person", help="Who: analyst, compliance-officer, registry-admin.")],
    output: Output = OutputFormat.TEXT,
) -> None:
    """Print an identity token of a person of a local fleet, as an API client sends it."""
    with vault_session(Project.find(), environment) as session:
        made = identity_token(session.vault, session.configuration, person)
    if output is OutputFormat.JSON:
        print_json({"person": person, "token": made})
    else:
        ANSWER.print(made, soft_wrap=True, markup=False)


def _document(session: Session, changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "environment": session.environment,
        "address": session.vault.access.address,
        "changes": [change.document() for change in changes],
    }


def _show(session: Session, changes: Sequence[Change], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json(_document(session, changes))
        return
    if not changes:
        ANSWER.print(f"{session.vault.access.address} is as declared.", markup=False, soft_wrap=True)
        return
    table = Table("", "path", "before", "after", box=None, pad_edge=False)
    for change in changes:
        after = _values(change.after)
        table.add_row(change.action, change.path, _values(change.before), f"{after}\n{change.reason}".strip())
    ANSWER.print(table)
    ANSWER.print(f"{len(changes)} differences in {session.vault.access.address}", markup=False, soft_wrap=True)


def _values(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {_word(value)}" for name, value in values.items()) or "-"


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True)
