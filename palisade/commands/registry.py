"""``palisade registry``: publishes APIs, lists them, and writes down what Envoy and OPA are told about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from palisade.access_path.model import access_path
from palisade.access_path.rendering import render_for_config_map
from palisade.config import FleetConfiguration, load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup
from palisade.local.processes import write_whole
from palisade.project import Project, fleet_state_directory
from palisade.registry import publication
from palisade.registry.client import Registry, connected
from palisade.registry.model import GitCommit, LifecycleState, apis_file
from palisade.registry.openapi import read_description
from palisade.registry.service import ServiceSettings, heap_of, service_environment
from palisade.validation import Section, validate

MANAGEMENT_PORT = 8443
ROOT_CERTIFICATE = "vault/root.crt"
"""In the state of a local fleet: the root CA that the registry's certificate leads to."""
TOKEN_VARIABLE = "PALISADE_TOKEN"  # noqa: S105 - the name of a variable

application = typer.Typer(help="Publish APIs in the registry, and see which ones there are.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]
Address = Annotated[str | None, typer.Option("--address", help="https://HOST:PORT; in a local fleet, its first node.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="The root CA; in a local fleet, the fleet's own.")]
Token = Annotated[str, typer.Option("--token", envvar=TOKEN_VARIABLE, help="The bearer token of who asks.")]
State = Annotated[LifecycleState, typer.Option("--state", help="The state of the version.")]


class _Commit(Section):
    git_commit: GitCommit


@application.command()
def publish(  # noqa: PLR0913 - each is an option of the command
    environment: Environment,
    document: Annotated[Path, typer.Argument(help="An OpenAPI 3.1 document.")],
    *,
    state: State = LifecycleState.ENABLED,
    git_commit: Annotated[str | None, typer.Option("--git-commit", help="Where the document comes from.")] = None,
    address: Address = None,
    ca_file: CaFile = None,
    token: Token = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Publish a version of an API, or move it to another state; what is there already stays as it is."""
    description = read_description(document)
    commit = git_commit or publication.commit_of(document)
    validate(_Commit, {"git_commit": commit}, file="command line", at="publish", lines={})
    with _registry(environment, address, ca_file, token) as registry:
        done = publication.publish(registry, description, state=state, git_commit=commit)
    if output is OutputFormat.JSON:
        api = description.api(state=state, git_commit=commit)
        print_json({"done": done.name.lower(), "api": api.model_dump(mode="json")})
        return
    ANSWER.print(f"{description.name} {description.version} ({state}): {done}", soft_wrap=True, markup=False)


@application.command(name="list")
def list_versions(
    environment: Environment,
    *,
    state: Annotated[LifecycleState | None, typer.Option("--state", help="Only what is in this state.")] = None,
    address: Address = None,
    ca_file: CaFile = None,
    token: Token = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """List the published versions of all APIs, the oldest first."""
    with _registry(environment, address, ca_file, token) as registry:
        found = registry.versions(state)
    if output is OutputFormat.JSON:
        print_json({"versions": [asdict(one) for one in found]})
        return
    table = Table("API", "version", "state", "owner", "commit", "published", box=box.SIMPLE_HEAD)
    for one in found:
        table.add_row(one.name, one.version, one.state, one.owner, one.git_commit[:12], one.published)
    ANSWER.print(table, markup=False)


@application.command()
def export(
    environment: Environment,
    *,
    address: Address = None,
    ca_file: CaFile = None,
    token: Token = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Write down what is published, for the policy bundle and for Envoy's routes."""
    with _registry(environment, address, ca_file, token) as registry:
        apis = publication.exported(registry)
    configuration = load_configuration(Project.find(), environment)
    if configuration.cluster is not None:
        render_for_config_map(access_path(configuration, apis))  # refuses what no pod could be given
    path = apis_file(environment)
    text = apis.text()
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    if output is OutputFormat.JSON:
        print_json({"file": str(path), "changed": changed, **apis.model_dump(mode="json")})
        return
    versions = len(apis.apis)
    ANSWER.print(f"Versions written to {path}: {versions}." if changed else f"{path} is as it was.", soft_wrap=True)


@application.command()
def settings(
    environment: Environment,
    *,
    authority: Annotated[str, typer.Option("--authority", help="On the host: the root CA of the database (PEM).")],
    memory_mib: Annotated[int, typer.Option("--memory-mib", min=256, help="What the process may use, in MiB.")],
    heap_percent: Annotated[int, typer.Option("--heap-percent", min=10, max=90, help="How much of it is heap.")] = 55,
    database: Annotated[
        str | None, typer.Option("--database", help="The database's host, instead of the environment's.")
    ] = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Show what the registry is told on a host with systemd, but for its password; asks nobody."""
    configuration = load_configuration(Project.find(), environment)
    server = database or next((str(host.address) for host in configuration.hosts_in(HostGroup.DATABASE)), None)
    if not server:
        raise ConfigurationError(
            "Nothing says where the database is.",
            where=f"Pulumi.{environment}.yaml: fleet.hosts",
            allowed="one host of the group database, or --database",
        )
    told = service_environment(ServiceSettings(server, authority, heap_of(memory_mib, heap_percent)))
    if output is OutputFormat.JSON:
        print_json({"environment": dict(told)})
        return
    for name, value in told.items():
        ANSWER.print(f"{name}={value}", soft_wrap=True, markup=False)


@contextmanager
def _registry(environment: str, address: str | None, ca_file: Path | None, token: str) -> Iterator[Registry]:
    configuration = load_configuration(Project.find(), environment)
    place = address or _address(configuration)
    own = fleet_state_directory(environment) / ROOT_CERTIFICATE
    authority = ca_file or (own if configuration.is_local and own.exists() else None)
    if authority is not None and not authority.is_file():
        raise ConfigurationError(
            "There is no such file.", where=str(authority), allowed="the root CA of the registry's certificate, as PEM"
        )
    if not token:
        local = " (a local fleet: palisade vault token)" if configuration.is_local else ""
        raise ConfigurationError(
            "Nobody asks: there is no token.",
            where=f"--token, or {TOKEN_VARIABLE}",
            allowed="a bearer token of the environment's issuer",
            remedy=f"log in at the issuer and give its token{local}",
        )
    with connected(place, authority=authority, token=token) as registry:
        yield registry


def _address(configuration: FleetConfiguration) -> str:
    nodes = configuration.hosts_in(HostGroup.REGISTRY)
    if configuration.is_local and nodes:
        return f"https://{nodes[0].address}:{MANAGEMENT_PORT}"
    raise ConfigurationError(
        f"Nothing says where the registry of {configuration.environment} is.",
        where="--address",
        allowed=f"https://HOST:{MANAGEMENT_PORT}",
        remedy="give the address of its load balancer",
    )
