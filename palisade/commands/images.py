"""``palisade images``: which container images an environment runs, and their digests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.images.pinning import PinState, list_images, pin_images
from palisade.project import Project

application = typer.Typer(help="The container images of an environment.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAMES", help="Images; all that the environment runs.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


@application.command("list")
def list_command(environment: Environment, output: Output = OutputFormat.TEXT) -> None:
    """Show every image that the environment runs, and whether it is known which one exactly; asks no registry."""
    listed = list_images(load_configuration(Project.find(), environment))
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "images": [asdict(image) for image in listed]})
        return
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("Image", "State"):
        table.add_column(column, no_wrap=True)
    table.add_column("Reference", overflow="fold")
    for image in listed:
        table.add_row(image.name, image.state, image.reference or image.source)
    ANSWER.print(table, markup=False)
    missing = [image.name for image in listed if image.state is PinState.MISSING]
    if missing:
        ANSWER.print(f"Not known exactly: {', '.join(missing)}", soft_wrap=True, markup=False)


@application.command()
def pin(environment: Environment, names: Names = None, output: Output = OutputFormat.TEXT) -> None:
    """Ask the images' registry for their digests and write them to Pulumi.<environment>.yaml.

    Where the images come from is in its section image_sources. Nothing is written unless every image was found.
    """
    pinned = pin_images(Project.find(), environment, names or ())
    if output is OutputFormat.JSON:
        print_json({"environment": environment, "images": [asdict(one) | {"changed": one.changed} for one in pinned]})
        return
    for one in pinned:
        word = "pinned" if one.before is None else "changed" if one.changed else "unchanged"
        ANSWER.print(f"{one.name} {word} {one.reference}", soft_wrap=True, markup=False)
