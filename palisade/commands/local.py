"""``palisade local``: the fleet on this machine."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from palisade.commands.demo import demo
from palisade.config import fleet_of, load_configuration
from palisade.console import ANSWER, OutputFormat, Steps, print_json
from palisade.errors import ConfigurationError, PalisadeError
from palisade.fleet import load_fleet
from palisade.local.access import ssh_arguments
from palisade.local.declared import require_local
from palisade.local.down import DOWN_STEPS
from palisade.local.down import down as take_down
from palisade.local.places import Places
from palisade.local.processes import become
from palisade.local.replace import REPLACE_STEPS
from palisade.local.replace import replace as replace_host
from palisade.local.status import HostStatus, read_status
from palisade.local.up import up as bring_up
from palisade.local.up import up_steps
from palisade.project import Project
from palisade.stack.forget import forget_state

application = typer.Typer(help="Start, inspect and stop the fleet on this machine.", no_args_is_help=True)
application.command()(demo)

Environment = Annotated[str, typer.Option("--environment", help="The environment whose configuration is used.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


@application.command()
def up(
    *,
    environment: Environment = "local",
    no_install: Annotated[
        bool, typer.Option("--no-install", help="Refuse, instead of installing Debian packages that are missing.")
    ] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Start the fleet, or go on where an earlier start stopped; a fleet that is up stays as it is."""
    project = Project.find()
    configuration = load_configuration(project, environment)
    steps = Steps(up_steps(configuration, project))
    fleet = bring_up(configuration, project, steps, may_install=not no_install)
    if output is OutputFormat.JSON:
        print_json({"fleet": fleet.model_dump(mode="json"), "seconds": steps.seconds})
        return
    ANSWER.print(f"The fleet {environment} is up: {', '.join(host.name for host in fleet.hosts)}")
    ANSWER.print(f"Log in:      palisade local shell {fleet.hosts[-1].name}{_option(environment)}")
    ANSWER.print(f"or with ssh: ssh -F {fleet.ssh_config} {fleet.hosts[-1].name}", soft_wrap=True)


@application.command()
def down(
    *,
    environment: Environment = "local",
    purge: Annotated[bool, typer.Option("--purge", help="Remove the host images as well.")] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Remove the hosts with their disks, keys and network, and put the machine back as it was."""
    require_local(environment)
    outcome = take_down(environment, Steps(DOWN_STEPS), purge=purge)
    forget_state(environment)
    if output is OutputFormat.JSON:
        print_json(
            {"environment": environment, "left": list(outcome.left), "kept": [str(path) for path in outcome.kept]}
        )
        return
    ANSWER.print(f"The fleet {environment} is down.")
    for left in outcome.left:
        ANSWER.print(f"Left as it is: {left}", soft_wrap=True)
    if outcome.kept:
        kept = ", ".join(str(path) for path in outcome.kept)
        ANSWER.print(f"Kept, so that the next start is fast (--purge removes it): {kept}", soft_wrap=True)


@application.command()
def status(environment: Environment = "local", output: Output = OutputFormat.TEXT) -> None:
    """Say what each host does; a fleet that is down is an answer, not an error."""
    fleet = fleet_of(load_configuration(Project.find(), environment))
    hosts = read_status(fleet)
    running = sum(one.state == "running" for one in hosts)
    summary = "up" if running == len(hosts) else "partly up" if running else "down"
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "state": summary, "hosts": [_document(one) for one in hosts]})
        return
    columns = ["host", "group", "address", "state", "systemd", *(["node"] if fleet.has_cluster else []), "up since"]
    table = Table(*columns, box=None, pad_edge=False)
    for one in hosts:
        row = _document(one) | {"up_since": f"{one.up_since:%Y-%m-%d %H:%M}" if one.up_since else None}
        table.add_row(*(str(row[name.replace(" ", "_")] or "-") for name in columns))
    ANSWER.print(table)
    ANSWER.print(f"The fleet {environment} is {summary}.")


@application.command()
def replace(
    host: Annotated[str, typer.Argument(help="The name of the host; a node of the fleet's own cluster.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Go on although pods are lost: those without a controller, a dead node's.")
    ] = False,
    environment: Environment = "local",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Replace a node: drain it, make its host anew from the image, harden it, and let it join again."""
    project = Project.find()
    steps = Steps(REPLACE_STEPS)
    replace_host(load_configuration(project, environment), project, host, steps, force=force)
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "host": host, "seconds": steps.seconds})
        return
    ANSWER.print(f"{host} was replaced; it is a node again.")


@application.command()
def shell(
    host: Annotated[str, typer.Argument(help="The name of the host.")],
    command: Annotated[list[str] | None, typer.Argument(help="What to run there, after --; a shell if empty.")] = None,
    environment: Environment = "local",
) -> None:
    """Log in to a host the way operators do: over SSH, through the bastion."""
    places = Places.of(environment)
    if not places.fleet_file.exists():
        raise PalisadeError(f"The fleet {environment} is not up.", remedy=f"palisade local up{_option(environment)}")
    names = [one.name for one in load_fleet(places.fleet_file).hosts]
    if host not in names:
        raise ConfigurationError(f"There is no host {host}.", where=str(places.fleet_file), allowed=", ".join(names))
    become(ssh_arguments(places, host, command or ()))


def _option(environment: str) -> str:
    return "" if environment == "local" else f" --environment {environment}"


def _document(one: HostStatus) -> dict[str, Any]:
    return {
        "host": one.host.name,
        "group": str(one.host.group),
        "address": str(one.host.address),
        "state": one.state,
        "systemd": one.systemd,
        "node": one.node,
        "up_since": _moment(one.up_since),
    }


def _moment(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
