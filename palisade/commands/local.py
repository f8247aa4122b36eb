"""``palisade local``: the fleet on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, Steps, print_json
from palisade.local.lifecycle import UP_STEPS
from palisade.local.lifecycle import up as bring_up
from palisade.project import Project

application = typer.Typer(help="Start, inspect and stop a fleet on this machine.", no_args_is_help=True)

Environment = Annotated[str, typer.Option("--environment", help="The environment whose configuration is used.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


@application.command()
def up(environment: Environment = "local", output: Output = OutputFormat.TEXT) -> None:
    """Start the fleet, or go on where an earlier start stopped."""
    project = Project.find()
    fleet = bring_up(load_configuration(project, environment), project, Steps(UP_STEPS))
    if output is OutputFormat.JSON:
        print_json(fleet.model_dump(mode="json"))
    else:
        ANSWER.print(f"The fleet {environment} is up. Log in: palisade local shell {fleet.hosts[0].name}")
