"""``palisade tools``: the external programs, where they are and how they are obtained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from palisade.console import ANSWER, OutputFormat, Steps, print_json
from palisade.project import Project
from palisade.tools.cache import cache_root
from palisade.tools.catalogue import Program, load_catalogue
from palisade.tools.definition import Tool
from palisade.tools.obtain import Finding, State, ensure, step_titles, survey
from palisade.tools.toolchain import find_go

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAMES", help="Tools or single programs; see --list for the names.")
]
All = Annotated[bool, typer.Option("--all", help="Get every program ready, also those that only some commands need.")]
List = Annotated[bool, typer.Option("--list", help="Only show where the programs are; nothing is built.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


def tools(
    names: Names = None,
    *,
    everything: All = False,
    list_only: List = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Find the external programs on PATH, or build them from pinned sources into the user's cache.

    Without arguments: shows where each program is, or that it would be built. Nothing is changed.

    With NAMES: gets these ready and prints their paths. With --all: gets all of them ready, which takes about half an
    hour on two cores the first time if none is on PATH.

    Commands that need a program get it ready by themselves; doing it here only means to wait now and not then.
    """
    project = Project.find()
    catalogue = load_catalogue(project)
    if names and everything:
        raise typer.BadParameter("NAMES and --all exclude each other.")
    programs = catalogue.select(names or catalogue.programs)
    if list_only or not (names or everything):
        _show_findings(survey(catalogue, programs, find_go()), output)
    else:
        _show_paths(_ensure(project, programs), output)


def _ensure(project: Project, programs: Sequence[Program]) -> Mapping[str, Path]:
    names = [program.name for program in programs]
    return ensure(project, names, Steps(step_titles(project, names)))


def _show_paths(paths: Mapping[str, Path], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json({"programs": {name: str(path) for name, path in paths.items()}})
        return
    for name, path in paths.items():
        ANSWER.print(f"{name} {path}", soft_wrap=True, markup=False)


def _show_findings(findings: Sequence[Finding], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        print_json({"programs": [_record(finding) for finding in findings]})
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Program", no_wrap=True)
    table.add_column("Pinned", no_wrap=True)
    table.add_column("Where", overflow="fold")
    table.add_column("Needed by", no_wrap=True)
    for finding in findings:
        tool = finding.program.tool
        table.add_row(finding.program.name, _pinned(tool), _where(finding), "\n".join(tool.needed_by))
    ANSWER.print(table, markup=False)
    ANSWER.print(f"Built programs are in {cache_root()}", soft_wrap=True, markup=False)


def _pinned(tool: Tool) -> str:
    if tool.go:
        return tool.go.version
    if tool.maven:
        return tool.maven.version
    return "distribution" if tool.debian else "uv.lock" if tool.python else "project"


def _where(finding: Finding) -> str:
    refused = f" ({finding.reason})" if finding.refused else ""
    there = f"{finding.path} {finding.version}"
    words = {
        State.ON_PATH: there,
        State.PLUGIN: there,
        State.BUILT: f"built{refused}",
        State.TO_BUILD: f"would be built{refused}",
        State.TO_INSTALL: f"missing: install the packages{refused}",
        State.SHIPPED: f"{finding.version}, in a Python package",
        State.FETCHED: "fetched",
        State.TO_FETCH: "would be fetched by Maven",
        State.OWN: "in the project (the official plugin is not installed)",
    }
    return words[finding.state]


def _record(finding: Finding) -> dict[str, Any]:
    program = finding.program
    return {
        "name": program.name,
        "tool": program.folder.name,
        "purpose": program.tool.purpose,
        "needed_by": program.tool.needed_by,
        "pinned": program.tool.go.version if program.tool.go else None,
        "usual_build_seconds": program.tool.go.usual_build_seconds if program.tool.go else None,
        "packages": program.tool.debian.packages if program.tool.debian else None,
        "accepted": program.tool.version_question.accepted if program.tool.version_question else None,
        "state": finding.state,
        "path": str(finding.path) if finding.path else None,
        "version": finding.version or None,
        "not_from_path_because": None if finding.state is State.ON_PATH else finding.reason,
    }
