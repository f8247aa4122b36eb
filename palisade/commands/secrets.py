"""``palisade secrets``: brings secrets from Vault to where they are used."""

from __future__ import annotations

from typing import Annotated

import typer

from palisade.console import ANSWER, OutputFormat, print_json
from palisade.project import Project
from palisade.vault.secrets import apply_secrets
from palisade.vault.secrets import show as show_secret
from palisade.vault.session import vault_session

application = typer.Typer(help="Bring secrets from Vault to where they are used.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]


@application.command()
def show(environment: Environment, name: Annotated[str, typer.Argument(help="The name of the secret.")]) -> None:
    """Print one secret as JSON, for a program that reads it from a pipe."""
    with vault_session(Project.find(), environment) as session:
        print_json(dict(show_secret(session, name)))


@application.command()
def apply(
    environment: Environment,
    *,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Write the declared secrets into the cluster; what is right stays as it is."""
    with vault_session(Project.find(), environment) as session:
        applied = apply_secrets(session)
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "secrets": [one.document() for one in applied]})
        return
    for one in applied:
        state = "written" if one.changed else "as it was"
        ANSWER.print(f"{one.namespace}/{one.name}: {', '.join(one.keys)}: {state}", markup=False, soft_wrap=True)
