"""``palisade access``: the files of Envoy, for roles and for people who want to read them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from palisade.access_path.model import HOST, POD, access_path
from palisade.access_path.rendering import envoy_arguments, render_envoy
from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import MachineError
from palisade.project import Project
from palisade.registry.model import apis_file, read_apis
from palisade.vault.authorities import issuer_ca_file
from palisade.vault.values import edge_certificate

application = typer.Typer(help="Show what Envoy is told.", no_args_is_help=True)


class Kind(StrEnum):
    """Where Envoy runs."""

    POD = "pod"
    HOST = "host"


_PLACES = {Kind.POD: POD, Kind.HOST: HOST}


@application.command()
def files(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    kind: Annotated[Kind, typer.Option("--kind", help="Where Envoy runs: a pod, or a host with systemd.")] = Kind.POD,
    directory: Annotated[Path | None, typer.Option("--directory", help="Write them there.")] = None,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Render the files of Envoy from the configuration and the APIs that were last exported; asks nobody."""
    configuration = load_configuration(Project.find(), environment)
    model = access_path(configuration, read_apis(environment), _PLACES[kind])
    rendered = render_envoy(model)
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for name, text in rendered.items():
                (directory / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise MachineError(
                f"The files cannot be written: {error.strerror}.",
                where=str(directory),
                remedy="choose another directory",
            ) from error
    if output is OutputFormat.JSON:
        arguments = list(envoy_arguments(model.places.configuration))
        exported = apis_file(environment)
        certificate, authority = edge_certificate(configuration), str(issuer_ca_file(configuration))
        print_json(
            {
                "files": dict(rendered),
                "arguments": arguments,
                "certificate": certificate,
                "issuer_authority": authority,
                "apis": {"file": str(exported), "exported": exported.exists()},
            }
        )
        return
    for name, text in rendered.items():
        ANSWER.print(f"# {name}\n{text}", markup=False, soft_wrap=True)
