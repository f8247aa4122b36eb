"""``palisade local demo``: the access path of a local fleet, told by requests, their answers and their records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from palisade.access_path.demonstration import Stage, Told, tell
from palisade.config import fleet_of, load_configuration
from palisade.console import ANSWER, PROGRESS, OutputFormat, print_json
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.local.places import Places
from palisade.local.registry_pod import registry_pod
from palisade.project import Project
from palisade.vault.access import root_certificate_file
from palisade.vault.people import identity_token
from palisade.vault.session import vault_session

APIS_PORT = 443


def demo(
    *,
    environment: Annotated[
        str, typer.Option("--environment", help="The environment whose configuration is used.")
    ] = "local",
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Ask the registry's APIs in all the ways that are answered differently, and show why; OPA hangs for a moment."""
    told = []
    with _stage(Project.find(), environment) as stage:
        for one in tell(stage):
            PROGRESS.print(f"{one.status} {one.request.title}", markup=False)
            told.append(one)
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "requests": [one.document() for one in told]})
    else:
        _print(told)
    if not all(one.holds for one in told):
        raise typer.Exit(ExitCode.FINDINGS)


@contextmanager
def _stage(project: Project, environment: str) -> Iterator[Stage]:
    configuration = load_configuration(project, environment)
    places = Places.of(environment)
    if not configuration.is_local:
        raise ConfigurationError(
            f"{environment} is not a local fleet, and the demonstration has OPA hang for a moment.",
            allowed="a local fleet",
            remedy="palisade local demo",
        )
    if not places.fleet_file.exists():
        raise PalisadeError(f"The fleet {environment} is not up.", remedy="make up")
    authority = root_certificate_file(environment)
    if not authority.exists():
        raise PalisadeError(
            "The root certificate of the fleet is not there.",
            where=str(authority),
            remedy=f"palisade vault apply {environment}",
        )
    pod = registry_pod(fleet_of(configuration), places)
    with vault_session(project, environment) as session:
        yield Stage(
            host=str(pod.host.address),
            port=APIS_PORT,
            authority=authority,
            token=lambda person: identity_token(session.vault, session.configuration, person),
            records=pod.records,
            hung_policy=pod.held_policy,
        )


def _print(told: list[Told]) -> None:
    table = Table("request", "answer", "why", "record", box=None, pad_edge=False)
    for one in told:
        answer = str(one.status) if one.holds else f"{one.status}, not {one.request.status}"
        table.add_row(one.request.title, answer, one.request.why, _record(one), style="" if one.holds else "bold red")
    ANSWER.print(table)
    kept = sum(one.holds for one in told)
    ANSWER.print(f"{kept} of {len(told)} requests were answered and recorded as promised.")


def _record(told: Told) -> str:
    """What of a record explains the answer."""
    record = told.record
    if record is None:
        return "none"
    decision = record["decision"]
    words = {
        "route": record["route"],
        "reason": record["reason"],
        "rule": decision["rule"],
        "decision": decision["id"],
        "bundle": decision["bundle_revision"],
        "tls": record["tls"]["version"],
        "ms": record["milliseconds"]["total"],
    }
    return "\n".join(f"{name}: {value}" for name, value in words.items() if value is not None)
