"""Looks for a program on PATH and asks it for its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.version import InvalidVersion, Version

from palisade.tools.catalogue import Catalogue, Program
from palisade.tools.definition import PythonPackage, VersionQuestion

ANSWER_SECONDS = 15.0
"""How long a program may take to tell its version: generous, for a large one read from a cold and busy disk."""
_QUIET = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
"""Asking for a version must not go to the network."""


@dataclass(frozen=True)
class OnPath:
    """The program that a shell would start, and whether it may be used."""

    path: Path
    version: str = ""
    """As the program told it; empty if it did not."""
    refusal: str = ""
    """Why it is not used; empty if it is."""


class NoVersionError(Exception):
    """A program that did not tell its version; the message says why."""


def look(program: Program, catalogue: Catalogue) -> OnPath | None:
    """The first program of this name on PATH; None if there is none.

    Only the first counts: it is what a shell and every other tool would start.
    """
    found = shutil.which(program.name)
    if found is None:
        return None
    path = Path(found).absolute()
    if program.tool.version_question is not None:
        return _judge(path, program.tool.version_question)
    return _look_beside(path, program, catalogue)


def look_for_plugin(program: Program, plugin: str) -> OnPath | None:
    """The newest official plugin that takes the place of a program of the project; None if there is none.

    Pulumi itself prefers one on PATH to those that are installed.

    Args:
        program: The project's own program.
        plugin: How Pulumi names its directory: ``resource-kubernetes``.
    """
    found = shutil.which(program.name)
    if found is not None and not Path(found).resolve().is_relative_to(program.folder.resolve()):
        return OnPath(Path(found).absolute())
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    installed = [OnPath(path, version) for path, version in _plugins(home / "plugins", plugin, program.name)]
    return max(installed, key=lambda one: Version(one.version), default=None)


def look_in_package(program: Program, package: PythonPackage) -> OnPath | None:
    """The program that a Python package ships; None if the package is not installed, or has no such file.

    Args:
        program: The program.
        package: The package that has it.
    """
    try:
        found = distribution(package.distribution)
    except PackageNotFoundError:
        return None
    path = Path(str(found.locate_file(package.programs[program.name])))
    return OnPath(path, found.version) if path.is_file() else None


def is_of_this_environment(path: Path) -> bool:
    """Whether a program on PATH belongs to the Python environment that Palisade runs in: a script that starts one."""
    return path.parent == Path(sys.prefix).absolute() / "bin"


def ask_version(path: Path, question: VersionQuestion) -> Version:
    """The version that a program tells.

    Raises:
        NoVersionError: it cannot be started, fails, takes too long, or says something else.
    """
    answer = _answer([str(path), *question.arguments])
    match = re.search(question.pattern, answer, flags=re.MULTILINE)
    if match is None:
        first_line = next(iter(answer.strip().splitlines()), "nothing")
        raise NoVersionError(f"says no version that can be read: {first_line[:80]}")
    try:
        return Version(match.group(1))
    except InvalidVersion as error:
        raise NoVersionError(f"says no version that can be read: {match.group(1)}") from error


def _plugins(directory: Path, plugin: str, executable: str) -> Iterator[tuple[Path, str]]:
    for path in directory.glob(f"{plugin}-v*/{executable}"):
        try:
            yield path, str(Version(path.parent.name.removeprefix(f"{plugin}-v")))
        except InvalidVersion:
            continue


def _answer(command: Sequence[str]) -> str:
    try:
        finished = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | _QUIET,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except OSError as error:
        raise NoVersionError(f"cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise NoVersionError(f"does not tell its version within {ANSWER_SECONDS:.0f} s") from error
    if finished.returncode < 0:
        raise NoVersionError(f"crashes when asked for its version (signal {-finished.returncode})")
    if finished.returncode > 0:
        raise NoVersionError(f"fails when asked for its version (exit code {finished.returncode})")
    return finished.stdout.decode(errors="replace")


def _judge(path: Path, question: VersionQuestion) -> OnPath:
    try:
        version = ask_version(path, question)
    except NoVersionError as error:
        return OnPath(path, refusal=str(error))
    if not question.accepts(version):
        return OnPath(path, str(version), refusal=f"is version {version}, not {question.accepted}")
    return OnPath(path, str(version))


def _look_beside(path: Path, program: Program, catalogue: Catalogue) -> OnPath:
    companion = catalogue.programs[str(program.tool.released_with)]
    beside = look(companion, catalogue)
    if beside is None or beside.path.parent != path.parent:
        return OnPath(path, refusal=f"does not lie beside {companion.name}, which would tell its version")
    return OnPath(path, beside.version, beside.refusal and f"lies beside {companion.name}, which {beside.refusal}")
