"""``palisade render``: what the Pulumi program would declare in the cluster, as Kubernetes manifests."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from palisade.config import CONFIGURATION_KEY, load_configuration, parse_configuration
from palisade.project import Project
from palisade.yaml_file import read_yaml


def render(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    rps: Annotated[int | None, typer.Option("--rps", help="Another peak load, requests per second.")] = None,
) -> None:
    """Print the manifests of everything the stack declares; asks no cluster and changes nothing."""
    project = Project.find()
    path = project.environment_file(environment)
    load_configuration(project, environment)
    fleet = read_yaml(path).value["config"][CONFIGURATION_KEY]
    if rps is not None:
        fleet = {**fleet, "traffic": {"peak_rps": rps}}
        parse_configuration(fleet, environment=environment, file=f"{path.name} with --rps {rps}")
    # Here and not above: Pulumi takes seconds to load, and no other command needs it.
    from palisade.rendering.graph import run_program  # noqa: PLC0415
    from palisade.rendering.manifests import manifests, to_yaml  # noqa: PLC0415

    sys.stdout.write(to_yaml(manifests(run_program(project.root, environment, fleet))))
