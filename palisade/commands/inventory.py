"""``palisade inventory``: the hosts of an environment, for Ansible and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import ExitCode, MachineError, PalisadeError
from palisade.fleet import Fleet
from palisade.fleet_source import FLEET_FILE_VARIABLE, declared_fleet, find_fleet
from palisade.inventory import to_ansible
from palisade.local.processes import write_whole
from palisade.project import Project


def inventory(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    fleet: Annotated[
        Path | None, typer.Option("--fleet", help="A saved fleet object instead of the running fleet or the stack.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only the variables of this host.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="All hosts; this is what happens without it, too.")] = True,  # noqa: ARG001 - Ansible's protocol names it
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Write the fleet object of the configuration there, for before there is a stack."),
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.JSON,
) -> None:
    """Print the Ansible inventory of an environment."""
    if save is not None:
        _save(environment, save, output, alone=fleet is None and host is None)
        return
    found = find_fleet(Project.find(), environment, fleet)
    if host is not None:
        print_json(_variables_of(found, host))
    elif output is OutputFormat.JSON:
        print_json(to_ansible(found))
    else:
        _print(found)


def _save(environment: str, path: Path, output: OutputFormat, *, alone: bool) -> None:
    if not alone:
        raise PalisadeError(
            "--save writes what the configuration says, so it goes with neither --fleet nor --host.",
            allowed=f"palisade inventory {environment} --save {path}",
            exit_code=ExitCode.USAGE,
        )
    declared = declared_fleet(Project.find(), environment)
    try:
        write_whole(path, declared.to_json(), mode=0o644)
    except OSError as error:
        raise MachineError(
            f"The fleet object cannot be written: {error.strerror}.", where=str(path), remedy="choose another file"
        ) from error
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "fleet": str(path.absolute())})
        return
    ANSWER.print(f"To use it: export {FLEET_FILE_VARIABLE}={path.absolute()}", soft_wrap=True, markup=False)


def _variables_of(fleet: Fleet, host: str) -> object:
    variables = to_ansible(fleet)["_meta"]["hostvars"]
    if host not in variables:
        raise PalisadeError(
            f"The fleet has no host {host}.",
            where=f"environment {fleet.environment}",
            allowed=", ".join(sorted(variables)),
            exit_code=ExitCode.USAGE,
        )
    return variables[host]


def _print(fleet: Fleet) -> None:
    table = Table(title=f"hosts of {fleet.environment}", title_justify="left", box=None, pad_edge=False)
    for column in ("host", "group", "address", "login"):
        table.add_column(column)
    for host in fleet.hosts:
        table.add_row(host.name, host.group, str(host.address), f"{host.ssh_user}, port {host.ssh_port}")
    ANSWER.print(table)
