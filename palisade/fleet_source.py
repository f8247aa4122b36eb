"""Finds the fleet object of an environment."""

from __future__ import annotations

import os
from pathlib import Path

from palisade.config import fleet_of, load_configuration
from palisade.errors import ConfigurationError, PalisadeError
from palisade.fleet import Fleet, load_fleet
from palisade.project import Project, fleet_state_directory
from palisade.registry.model import read_apis
from palisade.stack.failures import MissingError
from palisade.stack.model import find_stack
from palisade.stack.output import read_stack_fleet

FLEET_FILE_VARIABLE = "PALISADE_FLEET_FILE"


def find_fleet(project: Project, environment: str, file: Path | None = None) -> Fleet:
    """The fleet object of an environment, from the first of these places that there is.

    1. the file that the caller names;
    2. the file that ``PALISADE_FLEET_FILE`` names;
    3. the object that ``palisade local up`` saved when it started the hosts: a local fleet is hardened before its
       stack is built, and the stack exports the same hosts;
    4. the ``fleet`` output of the environment's stack, which is selected and never made.

    Raises:
        PalisadeError: there is none (it says what to run), or it is not readable, or it is another environment's.
    """
    named = file or _named_by_variable()
    if named is not None:
        return _of_environment(load_fleet(named), environment, where=str(named))
    saved = fleet_state_directory(environment) / "fleet.json"
    if saved.is_file():
        return _of_environment(load_fleet(saved), environment, where=str(saved))
    stack = find_stack(project, environment)
    if stack.is_local:
        raise _not_up(environment)
    try:
        built = read_stack_fleet(stack)
    except MissingError as error:
        before = f"before that, palisade inventory {environment} --save fleet.json writes what it will export"
        remedy = f"{error.remedy}; {before} (docs/real-environment.md)"
        raise MissingError(error.problem, where=error.where, remedy=remedy) from error
    return _of_environment(built, environment, where=f"stack {environment}")


def declared_fleet(project: Project, environment: str) -> Fleet:
    """The fleet object that the stack of an environment would export now; asks no stack, which need not be there yet.

    Raises:
        ConfigurationError: there is no such environment, or its configuration is refused.
        PalisadeError: it is a local fleet: how its hosts are reached is known when they are started.
    """
    configuration = load_configuration(project, environment)
    if configuration.is_local:
        raise _not_up(environment)
    return fleet_of(configuration, read_apis(environment).upstream_ports)


def _not_up(environment: str) -> PalisadeError:
    return PalisadeError(
        f"The local fleet {environment} is not up.",
        where=str(fleet_state_directory(environment) / "fleet.json"),
        remedy=f"palisade local up --environment {environment}",
    )


def _named_by_variable() -> Path | None:
    name = os.environ.get(FLEET_FILE_VARIABLE)
    return Path(name) if name else None


def _of_environment(fleet: Fleet, environment: str, *, where: str) -> Fleet:
    if fleet.environment != environment:
        raise ConfigurationError(
            f"The fleet object is of the environment {fleet.environment}.",
            where=f"{where}: environment",
            allowed=environment,
            remedy=f"name the fleet object of {environment}, or ask for the inventory of {fleet.environment}",
        )
    return fleet
