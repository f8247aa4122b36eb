"""``palisade render``: what the Pulumi program would declare in the cluster, as Kubernetes manifests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from palisade.config import CONFIGURATION_KEY, FleetConfiguration, load_configuration, parse_configuration
from palisade.console import ANSWER
from palisade.errors import ConfigurationError, PalisadeError
from palisade.fluentd.model import fluentd_model
from palisade.fluentd.rendering import CONFIGURATION, render_fluentd
from palisade.fluentd.samples import render_samples
from palisade.project import Project
from palisade.yaml_file import read_yaml


def render(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    rps: Annotated[int | None, typer.Option("--rps", help="Another peak load, requests per second.")] = None,
    fluentd: Annotated[
        Path | None,
        typer.Option("--fluentd", help="Instead write Fluentd's configuration, and a sample of every variant, there."),
    ] = None,
) -> None:
    """Print the manifests of everything the stack declares; asks no cluster and changes nothing."""
    project = Project.find()
    path = project.environment_file(environment)
    configuration = load_configuration(project, environment)
    if fluentd is not None:
        _write_fluentd(configuration, fluentd)
        return
    fleet = read_yaml(path).value["config"][CONFIGURATION_KEY]
    if rps is not None:
        fleet = {**fleet, "traffic": {"peak_rps": rps}}
        parse_configuration(fleet, environment=environment, file=f"{path.name} with --rps {rps}")
    # Here and not above: Pulumi takes seconds to load, and no other command needs it.
    import pulumi  # noqa: PLC0415

    from palisade.rendering.graph import run_program  # noqa: PLC0415
    from palisade.rendering.manifests import manifests, to_yaml  # noqa: PLC0415

    try:
        graph = run_program(project.root, environment, fleet)
    except pulumi.RunError as error:
        if isinstance(error.__cause__, PalisadeError):
            raise error.__cause__ from error
        raise ConfigurationError(str(error), where=path.name) from error
    sys.stdout.write(to_yaml(manifests(graph)))


def _write_fluentd(configuration: FleetConfiguration, directory: Path) -> None:
    model = fluentd_model(configuration)
    own = {} if model is None else {CONFIGURATION: render_fluentd(model)}
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in sorted({**own, **render_samples(configuration.environment)}.items()):
        (directory / name).write_text(text, encoding="utf-8")
        ANSWER.print(str(directory / name), soft_wrap=True, markup=False)
