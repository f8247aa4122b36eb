"""All external programs that the project knows: every ``tools/<name>/tool.yaml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.project import Project
from palisade.tools.definition import GoModule, Tool
from palisade.validation import nearest, validate
from palisade.yaml_file import read_yaml

FOLDER = "tools"
DEFINITION = "tool.yaml"


@dataclass(frozen=True)
class Program:
    """One executable, with the tool that it belongs to."""

    name: str
    tool: Tool
    folder: Path
    """The tool's folder: ``tools/<tool>`` of the checkout."""

    @property
    def module(self) -> GoModule:
        """What it is built from.

        Raises:
            ValueError: it is not built but installed from the distribution.
        """
        if self.tool.go is None:
            raise ValueError(f"{self.name} is not built from a Go module")
        return self.tool.go

    @property
    def wanted_on_path(self) -> str:
        """What has to be on PATH so that nothing is built, in words."""
        question = self.tool.version_question
        return f"{self.name} {question.accepted if question else f'as it comes with {self.tool.released_with}'}"

    def location(self, file: str) -> str:
        """How errors name a file of the tool's folder."""
        return f"{FOLDER}/{self.folder.name}/{file}"


@dataclass(frozen=True)
class Catalogue:
    """The programs by name, in the order of the tools' names."""

    programs: Mapping[str, Program]

    def select(self, names: Iterable[str]) -> tuple[Program, ...]:
        """The programs of these names, each once.

        Args:
            names: Names of tools (all their programs) or of single programs.

        Raises:
            PalisadeError: a name is neither (exit code :attr:`ExitCode.USAGE`).
        """
        selected: dict[str, Program] = {}
        for name in names:
            of_tool = {program.name: program for program in self.programs.values() if program.folder.name == name}
            if not of_tool and name not in self.programs:
                known = sorted({*self.programs, *(program.folder.name for program in self.programs.values())})
                similar = nearest(name, known)
                raise PalisadeError(
                    f"There is no tool or program called {name}.",
                    allowed=", ".join(known),
                    remedy=f"did you mean {similar}?" if similar else "palisade tools shows all of them",
                    exit_code=ExitCode.USAGE,
                )
            selected |= of_tool or {name: self.programs[name]}
        return tuple(selected.values())


def load_catalogue(project: Project) -> Catalogue:
    """Read all definitions; from the project, or the one that contains it (a Molecule scenario is such a project).

    Raises:
        ConfigurationError: there is no definition, one is refused, two tools have a program of the same name, or a tool
            names a program that is not there as its companion.
    """
    folders = _tool_folders(project.root)
    programs: dict[str, Program] = {}
    for folder in folders:
        document = read_yaml(folder / DEFINITION)
        file = f"{FOLDER}/{folder.name}/{DEFINITION}"
        tool = validate(Tool, document.value, file=file, at="tool", lines=document.lines)
        for name in tool.programs:
            if name in programs:
                other = programs[name].folder.name
                raise ConfigurationError(f"The program {name} belongs to {other} and to {folder.name}.", where=file)
            programs[name] = Program(name=name, tool=tool, folder=folder)
    for program in programs.values():
        _check_references(program, programs)
    return Catalogue(programs)


def _check_references(program: Program, programs: Mapping[str, Program]) -> None:
    companion = program.tool.released_with
    if companion is not None and (companion not in programs or programs[companion].tool.released_with):
        raise ConfigurationError(
            f"{program.name} is released with {companion}, which is not a program that can tell its version.",
            where=f"{program.location(DEFINITION)}: tool.released_with",
        )
    if program.tool.go is not None and not (program.folder / "go.mod").is_file():
        raise ConfigurationError(
            f"{program.name} is built from a Go module, and no go.mod pins it.",
            where=program.location("go.mod"),
            allowed="go.mod and go.sum beside tool.yaml",
        )


def _tool_folders(root: Path) -> list[Path]:
    for directory in (root, *root.parents):
        found = sorted(path.parent for path in (directory / FOLDER).glob(f"*/{DEFINITION}"))
        if found:
            return found
    raise ConfigurationError(
        "The project has no tools.", where=str(root / FOLDER), allowed=f"{FOLDER}/<name>/{DEFINITION}"
    )
