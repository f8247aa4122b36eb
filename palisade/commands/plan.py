"""``palisade plan``: how large a fleet must be for a load."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import ExitCode, MachineError, PalisadeError
from palisade.plan_picture import draw
from palisade.planning import Environment, Plan, make_plan, readable_tib
from palisade.project import Project
from palisade.sizing import Step

PICTURE_SUFFIX = ".svg"


def plan(  # noqa: PLR0913 - one parameter per option
    environment: Annotated[
        str | None, typer.Argument(help="Size this environment; without it, written defaults.")
    ] = None,
    *,
    rps: Annotated[int | None, typer.Option("--rps", help="Peak load, requests per second.")] = None,
    average_rps: Annotated[
        int | None,
        typer.Option("--average-rps", help="Average load, requests per second; audit storage follows from it."),
    ] = None,
    record_bytes: Annotated[int | None, typer.Option("--record-bytes", help="Size of one audit record, bytes.")] = None,
    retention_days: Annotated[
        int | None, typer.Option("--retention-days", help="How long audit records are kept, days (365 or more).")
    ] = None,
    replicas: Annotated[int | None, typer.Option("--replicas", help="Copies of the audit archive.")] = None,
    compression_ratio: Annotated[
        str | None, typer.Option("--compression-ratio", help="Plain size over stored size of audit records.")
    ] = None,
    minimum_nodes: Annotated[
        int | None,
        typer.Option("--minimum-nodes", help="Nodes per cluster that availability asks for, without the spare."),
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Also write a picture to this file (.svg).")] = None,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Say how many nodes, clusters and how much audit storage a load needs, and where the next step is."""
    wanted = {
        "peak_rps": rps,
        "average_rps": average_rps,
        "record_bytes": record_bytes,
        "retention_days": retention_days,
        "replicas": replicas,
        "compression_ratio": _decimal(compression_ratio),
        "minimum_nodes": minimum_nodes,
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    if environment is None and rps is None:
        raise PalisadeError(
            "There is no load to plan for.",
            allowed="an environment, --rps, or both",
            remedy="palisade plan --rps 5000, or palisade plan prod",
            exit_code=ExitCode.USAGE,
        )
    if plot is not None and plot.suffix != PICTURE_SUFFIX:
        raise PalisadeError(
            "The picture can only be drawn as SVG.",
            where=f"--plot {plot}",
            allowed=f"a file name that ends in {PICTURE_SUFFIX}",
            remedy=f"--plot {plot.with_suffix(PICTURE_SUFFIX)} (every browser opens and prints it)",
            exit_code=ExitCode.USAGE,
        )
    configuration = None if environment is None else load_configuration(Project.find(), environment)
    made = make_plan(configuration, given)
    if plot is not None:
        _write(plot, draw(made))
    if output is OutputFormat.JSON:
        print_json(made.document())
    else:
        _print(made, plot)


def _decimal(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation as error:
        raise PalisadeError(
            f"{text!r} is not a number.", where="--compression-ratio", allowed="4, 6.5", exit_code=ExitCode.USAGE
        ) from error


def _write(path: Path, picture: str) -> None:
    try:
        path.write_text(picture, encoding="utf-8")
    except OSError as error:
        raise MachineError(
            f"The picture cannot be written: {error.strerror}.", where=str(path), remedy="choose another file"
        ) from error


def _print(made: Plan, plot: Path | None) -> None:
    sizing = made.sizing
    scale = sizing.scale
    heading = f"{made.environment.name}: " if made.environment else ""
    answer = _table(f"{heading}{sizing.traffic.peak_rps:,} requests/s at peak")
    for label, value in (
        ("registry nodes", f"{scale.nodes:,}"),
        ("clusters", f"{scale.clusters:,}"),
        ("nodes per cluster", f"{scale.nodes_per_cluster} (one of them is the spare)"),
        ("vCPU", f"{sizing.vcpu:,}"),
        ("memory", f"{sizing.memory_gib:,} GiB"),
        ("audit storage", f"{readable_tib(sizing.audit_storage_tib)} TiB after {made.audit.retention_days:,} days"),
        ("next step", _step(sizing.next_step)),
        ("next cluster", _step(sizing.next_cluster)),
    ):
        answer.add_row(label, value)
    ANSWER.print(answer)
    basis = _table("what this rests on", "figure", "value", "unit", "from")
    for each in made.assumptions:
        basis.add_row(each.name.replace("_", " "), f"{each.value:,}", each.unit, each.source)
    ANSWER.print()
    ANSWER.print(basis)
    ANSWER.print()
    if made.environment is not None:
        ANSWER.print(_nodes(made, made.environment))
    if plot is not None:
        ANSWER.print(f"Picture: {plot}")


def _nodes(made: Plan, environment: Environment) -> str:
    """Whether the environment's nodes carry the load, and which part of it they do not."""
    file = f"Pulumi.{environment.name}.yaml"
    if environment.is_local:
        listed = f"{file} lists {environment.listed_registry_nodes} registry hosts"
        return f"{listed}; a local fleet has exactly those, whatever its load needs."
    needed = made.sizing.scale.nodes
    if environment.provisioned is not None:
        nodes = environment.provisioned.nodes
        subject = f"{file} has Karpenter make up to {nodes:,} registry nodes"
        remedy = f"raise traffic.peak_rps there to {made.sizing.traffic.peak_rps}, then pulumi up"
    else:
        nodes = environment.listed_registry_nodes
        subject = f"{file} lists {nodes:,} registry hosts"
        remedy = "list more of them"
    if made.uncovered_rps:
        carried = f"they carry {environment.covered_rps:,} requests/s, {made.uncovered_rps:,} are not covered"
        return f"{subject}, {needed:,} are needed: {carried}. What to do: {remedy}."
    if nodes < needed:
        return f"{subject}: {needed - nodes:,} fewer than availability needs. What to do: {remedy}."
    return f"{subject}: enough for this load."


def _step(step: Step) -> str:
    nodes = f"{step.scale.nodes:,} nodes in {step.scale.clusters:,} cluster{'s' if step.scale.clusters > 1 else ''}"
    return f"from {step.rps:,} requests/s: {nodes}"


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", show_header=bool(columns), box=None, pad_edge=False
    )
    for column in columns or ("", ""):
        table.add_column(column, header_style="bold", justify="right" if column == "value" else "left")
    return table
