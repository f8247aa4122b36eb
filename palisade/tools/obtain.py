"""Gets programs ready: found on PATH, in the cache, or built; and nothing more than what was asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from palisade.console import Steps
from palisade.errors import MachineError
from palisade.project import Project
from palisade.tools.build import build, entry_of
from palisade.tools.catalogue import Catalogue, Program, load_catalogue
from palisade.tools.definition import MavenArtifact, OwnPrograms, PythonPackage
from palisade.tools.maven import fetch, fetched_place, find_maven
from palisade.tools.search import OnPath, is_of_this_environment, look, look_for_plugin, look_in_package
from palisade.tools.toolchain import Go, check_go, find_go


class State(StrEnum):
    """Where a program is, or how it can be had."""

    ON_PATH = "on_path"
    BUILT = "built"
    TO_BUILD = "to_build"
    TO_INSTALL = "to_install"
    SHIPPED = "shipped"
    FETCHED = "fetched"
    TO_FETCH = "to_fetch"
    PLUGIN = "plugin"
    OWN = "own"


@dataclass(frozen=True)
class Finding:
    """What is known about one program before anything is done."""

    program: Program
    state: State
    path: Path | None = None
    """The executable; None while it is to be built or installed."""
    version: str = ""
    """The version of that executable; empty where it cannot be asked."""
    refused: OnPath | None = None
    """The program on PATH, if there is one that may not be used."""

    @property
    def reason(self) -> str:
        """Why the program is not taken from PATH, in words."""
        return f"{self.refused.path} {self.refused.refusal}" if self.refused else f"{self.program.name} is not on PATH"


def survey(catalogue: Catalogue, programs: Iterable[Program], go: Go | None) -> list[Finding]:
    """Find each program; nothing is built and nothing is changed.

    Args:
        catalogue: All programs, for those that are recognised by a companion.
        programs: Which ones to find.
        go: The toolchain of this machine, if any; without it, what was built before is not found.
    """
    return [_find(catalogue, program, go) for program in programs]


def step_titles(project: Project, names: Iterable[str]) -> list[str]:
    """The steps that :func:`ensure` runs for these names, for a caller that announces all its steps beforehand.

    Raises:
        PalisadeError: a name is not known.
        ConfigurationError: a definition is refused.
    """
    return [_title(program) for program in load_catalogue(project).select(names)]


def ensure(project: Project, names: Iterable[str], steps: Steps) -> dict[str, Path]:
    """Have these programs ready, and build those that are neither on PATH nor in the cache.

    What cannot be done on this machine at all is said before the first build starts.

    Args:
        project: The project whose ``tools/`` pins them.
        names: Names of tools (all their programs) or of single programs.
        steps: Progress; its titles include :func:`step_titles` of these names.

    Returns:
        The path of each program by its name.

    Raises:
        MachineError: Go is needed and missing or too old, a package of the distribution is missing, or the cache
            cannot be written.
        PalisadeError: a build fails, or a name is not known.
        ConfigurationError: a definition is refused.
    """
    catalogue = load_catalogue(project)
    go = find_go()
    findings = survey(catalogue, catalogue.select(names), go)
    _refuse_missing_packages(findings)
    _refuse_missing_toolchain(findings, go)
    for finding in findings:
        if finding.state is State.TO_FETCH:
            find_maven(finding.program)
    return {finding.program.name: _obtain(finding, go, steps) for finding in findings}


def require_toolchain(project: Project, names: Collection[str]) -> None:
    """Say what :func:`ensure` could not build here, before anything is installed or started.

    Raises:
        MachineError: Go is needed and missing or too old.
        PalisadeError: a name is not known.
        ConfigurationError: a definition is refused.
    """
    catalogue, go = load_catalogue(project), find_go()
    _refuse_missing_toolchain(survey(catalogue, catalogue.select(names), go), go)


def _refuse_missing_toolchain(findings: Iterable[Finding], go: Go | None) -> None:
    for finding in findings:
        if finding.state is State.TO_BUILD:
            check_go(go, finding.program)


def environment(paths: Mapping[str, Path]) -> str:
    """The value of PATH with which each of these programs is the one that is found.

    Args:
        paths: What :func:`ensure` returned. A directory is only put in front where PATH would find another program.
    """
    value = os.environ.get("PATH", os.defpath)
    for name, path in paths.items():
        found = shutil.which(name, path=value)
        if found is None or Path(found).absolute() != path:
            value = os.pathsep.join([str(path.parent), value])
    return value


def _find(catalogue: Catalogue, program: Program, go: Go | None) -> Finding:
    if program.tool.own is not None:
        return _find_official(program, program.tool.own)
    if program.tool.maven is not None:
        return _find_fetched(program, program.tool.maven)
    if program.tool.python is not None:
        return _find_shipped(program, program.tool.python, catalogue)
    on_path = look(program, catalogue)
    if on_path is not None and not on_path.refusal:
        return Finding(program, State.ON_PATH, on_path.path, on_path.version)
    return _find_built(program, go, on_path)


def _find_built(program: Program, go: Go | None, on_path: OnPath | None) -> Finding:
    if program.tool.go is None:
        return Finding(program, State.TO_INSTALL, refused=on_path)
    entry = entry_of(program, go) if go else None
    if entry is not None and entry.is_complete:
        return Finding(program, State.BUILT, entry.executable, program.module.version, refused=on_path)
    return Finding(program, State.TO_BUILD, refused=on_path)


def _find_fetched(program: Program, artifact: MavenArtifact) -> Finding:
    place = fetched_place(artifact)
    if place.is_complete:
        return Finding(program, State.FETCHED, place.executable, artifact.version)
    return Finding(program, State.TO_FETCH)


def _find_shipped(program: Program, package: PythonPackage, catalogue: Catalogue) -> Finding:
    on_path = look(program, catalogue)
    if on_path is not None and not on_path.refusal and not is_of_this_environment(on_path.path):
        return Finding(program, State.ON_PATH, on_path.path, on_path.version)
    shipped = look_in_package(program, package)
    if shipped is None:
        return Finding(program, State.TO_INSTALL, refused=on_path)
    return Finding(program, State.SHIPPED, shipped.path, shipped.version)


def _find_official(program: Program, own: OwnPrograms) -> Finding:
    official = look_for_plugin(program, own.plugin)
    if official is None:
        return Finding(program, State.OWN, program.folder / program.name, "of this project")
    return Finding(program, State.PLUGIN if official.version else State.ON_PATH, official.path, official.version)


def _refuse_missing_packages(findings: Sequence[Finding]) -> None:
    missing = [finding for finding in findings if finding.state is State.TO_INSTALL]
    if missing:
        debian = [finding.program.tool.debian for finding in missing]
        packages = dict.fromkeys(package for source in debian if source for package in source.packages)
        remedies = []
        if packages:
            line = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"
            remedies.append(f"run as root: {line}")
        if None in debian:
            remedies.append("run tools/bootstrap, which installs the Python packages of uv.lock")
        raise MachineError(
            f"Programs are missing: {'; '.join(finding.reason for finding in missing)}.",
            remedy="; ".join(remedies),
        )


def _obtain(finding: Finding, go: Go | None, steps: Steps) -> Path:
    program = finding.program
    if finding.path is not None:
        with steps.step(_title(program)) as running:
            before = {State.BUILT: "built before", State.FETCHED: "fetched before"}
            place = before.get(finding.state, str(finding.path))
            running.outcome = f"{finding.version}, {place}"
        return finding.path
    with steps.step(_title(program), usually=_usual_duration(program)) as running:
        if finding.refused:
            running.note(f"{finding.reason}, so it is not used")
        if program.tool.maven is not None:
            return fetch(program, program.tool.maven, running)
        return build(program, check_go(go, program), running)


def _title(program: Program) -> str:
    if program.tool.maven is not None:
        return f"Find or fetch {program.name}"
    return f"Find or build {program.name}" if program.tool.go else f"Find {program.name}"


def _usual_duration(program: Program) -> str:
    if program.tool.maven is not None:
        return f"{program.tool.maven.usual_seconds} s the first time"
    minutes, seconds = divmod(program.module.usual_build_seconds, 60)
    duration = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    count = len(program.tool.programs)
    together = f", the {count} programs of {program.folder.name} together" if count > 1 else ""
    return f"{duration} with cold caches{together}"
