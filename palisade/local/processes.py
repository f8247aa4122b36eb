"""Starts other programs: always an argument list, never a shell, and a failure that says what was run."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import PalisadeError

LAST_LINES = 15
"""How many of a failed program's last lines are shown."""
GRACE_SECONDS = 10.0
"""How long a program may take to end in an orderly way before it is killed."""


@dataclass(frozen=True)
class Finished:
    """A program that has ended."""

    arguments: tuple[str, ...]
    status: int
    output: str
    errors: str

    @property
    def succeeded(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0

    def failure(self, remedy: str | None = None) -> PalisadeError:
        """The error that shows this program's end to the user."""
        said = (self.errors.strip() or self.output.strip()).splitlines()[-LAST_LINES:]
        return PalisadeError(
            f"{self.arguments[0]} ended with status {self.status}" + (":\n" + "\n".join(said) if said else "."),
            where=" ".join(self.arguments),
            remedy=remedy,
        )


def attempt(
    arguments: Sequence[str],
    *,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> Finished:
    """Run a program to its end, whatever its end is.

    It runs in its own session: a Ctrl-C reaches Palisade alone, which then ends the program in an orderly way.

    Args:
        arguments: The program and its arguments.
        text: What it reads on standard input; nothing unless given.
        environment: Variables in addition to Palisade's own.
        seconds: How long it may take; it is ended after that and has status 124.

    Raises:
        PalisadeError: the program is not there.
    """
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment} if environment else None,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise PalisadeError(f"The program {arguments[0]} is not there.", where=" ".join(arguments)) from error
    status = None
    try:
        output, errors = process.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        output, errors = _end(process)
        status = 124
    except BaseException:
        _end(process)
        raise
    return Finished(tuple(arguments), process.returncode if status is None else status, output, errors)


def run(
    arguments: Sequence[str],
    *,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    remedy: str | None = None,
) -> str:
    """Run a program that must succeed and return what it wrote to standard output.

    Raises:
        PalisadeError: it is not there, or it ended with another status than 0 (with its last lines).
    """
    finished = attempt(arguments, text=text, environment=environment)
    if not finished.succeeded:
        raise finished.failure(remedy)
    return finished.output


def follow(
    arguments: Sequence[str], *, on_line: Callable[[str], None], directory: Path, environment: Mapping[str, str]
) -> Finished:
    """Run a program to its end and see each line of its output at once.

    Args:
        arguments: The program and its arguments; it runs in its own session, as in :func:`attempt`.
        on_line: Called with each line, without its end.
        directory: Where it runs.
        environment: Variables in addition to Palisade's own.

    Returns:
        What it wrote to standard output and standard error, in the order in which it came, as the output.

    Raises:
        PalisadeError: the program is not there.
    """
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=directory,
            start_new_session=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise PalisadeError(f"The program {arguments[0]} is not there.", where=" ".join(arguments)) from error
    lines = []
    try:
        for line in process.stdout or ():
            lines.append(line)
            on_line(line.rstrip("\n"))
        status = process.wait()
    except BaseException:
        _end(process)
        raise
    return Finished(tuple(arguments), status, "".join(lines), "")


def become(arguments: Sequence[str]) -> None:
    """Replace this process with a program that talks to the user's terminal; does not return.

    Raises:
        PalisadeError: the program is not there.
    """
    try:
        os.execvp(arguments[0], list(arguments))  # noqa: S606 - an argument list, no shell
    except FileNotFoundError as error:
        raise PalisadeError(f"The program {arguments[0]} is not there.", where=" ".join(arguments)) from error


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part.

    Args:
        path: The file; its directory exists.
        text: The whole content.
        mode: Its permissions.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def fill_folder(directory: Path, files: Mapping[str, str]) -> None:
    """Have these files in a directory that only the owner may read; what differs is written, nothing is removed."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    # The whole session: a program that waits for its own children would otherwise end only after them.
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=GRACE_SECONDS)
    return process.communicate()
