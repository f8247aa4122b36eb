"""Builds one program with Go: into the cache, with a log, and with an error that says what to do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

from palisade.console import Step
from palisade.errors import ConfigurationError
from palisade.tools.cache import CacheEntry, cache_entry
from palisade.tools.catalogue import DEFINITION, Program
from palisade.tools.failure import build_failure
from palisade.tools.search import NoVersionError, ask_version
from palisade.tools.toolchain import Go

_LOOK_SECONDS = 0.5
"""How often the progress of a running build is read from its log."""
_ENDING_SECONDS = 10
"""How long Go may take to end when the build is interrupted, before it is killed."""


def entry_of(program: Program, go: Go) -> CacheEntry:
    """The place in the cache of what :func:`build` builds."""
    return cache_entry(program, go, _arguments(program))


def build(program: Program, go: Go, running: Step) -> Path:
    """Build a program into the cache; what someone else builds at the same time is waited for and used.

    Args:
        program: What to build; it comes from a Go module.
        go: The toolchain, new enough.
        running: Shown what happens.

    Returns:
        The executable.

    Raises:
        PalisadeError: the build fails. Nothing is left of it but the log.
        ConfigurationError: the result is not what ``tool.yaml`` says.
        MachineError: the cache cannot be written.
    """
    entry = entry_of(program, go)

    def say_wait() -> None:
        running.note(f"{program.name} is being built by another palisade; waiting for it, log: {entry.log}")

    def make(lock: int) -> None:
        running.note(f"building {program.name} {program.module.version}, log: {entry.log}")
        _compile(program, go, entry, running, lock=lock)
        _copy_scripts(program, go, entry)
        _check_version(program, entry)

    built = entry.fill(make, on_wait=say_wait)
    running.outcome = f"{program.module.version}, built" + ("" if built else " meanwhile")
    return entry.executable


def _arguments(program: Program) -> list[str]:
    """The arguments of ``go`` without the place of the result; the package is the last one.

    They win over the same flags in the user's GOFLAGS: the result must not depend on the place of the checkout
    (``-trimpath``, ``-buildvcs=false``) nor change the pins (``-mod=readonly``).
    """
    module = program.module
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-v", f"-ldflags={module.linker_flags}"]
    return ["build", *flags, module.programs[program.name]]


def _compile(program: Program, go: Go, entry: CacheEntry, running: Step, *, lock: int) -> None:
    *arguments, package = _arguments(program)
    command = [str(go.executable), *arguments, "-o", str(entry.unfinished / program.name), package]
    with entry.log.open("wb") as log:
        log.write(f"{program.name} {program.module.version} with {go.version}\n{' '.join(command)}\n".encode())
        log.flush()
        # Go inherits the lock: if this process is killed, the next one waits for the build that is still running. Its
        # own session lets a Ctrl-C reach this process alone, which then ends Go with its compilers.
        with subprocess.Popen(
            command,
            cwd=program.folder,
            env=go.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        ) as process:
            try:
                _watch(process, entry.log, running)
            except BaseException:
                _end(process)
                raise
    if process.returncode != 0:
        raise build_failure(program, entry.log)


def _watch(process: subprocess.Popen[bytes], log: Path, running: Step) -> None:
    started = time.monotonic()
    packages = 0
    with log.open("rb") as lines:
        while True:
            try:
                process.wait(timeout=_LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                packages += _count_packages(lines)
                elapsed = time.monotonic() - started
                running.detail(f"{elapsed:.0f} s, {packages} packages compiled")
            else:
                return


def _count_packages(lines: BinaryIO) -> int:
    """How many packages ``go build -v`` has reported since the last look: one line each, nothing but its path."""
    return sum(b" " not in line.strip() for line in lines)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _copy_scripts(program: Program, go: Go, entry: CacheEntry) -> None:
    if not program.module.beside:
        return
    command = [str(go.executable), "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", program.module.module]
    listed = subprocess.run(
        command, cwd=program.folder, env=go.environment(), capture_output=True, text=True, check=False
    )
    for script in program.module.beside:
        source = Path(listed.stdout.strip()) / script
        if listed.returncode != 0 or not source.is_file():
            raise ConfigurationError(
                f"{script} is not in the module {program.module.module}. {listed.stderr}".strip(),
                where=f"{program.location(DEFINITION)}: tool.go.beside",
            )
        target = entry.unfinished / source.name
        shutil.copyfile(source, target)
        target.chmod(0o755)


def _check_version(program: Program, entry: CacheEntry) -> None:
    question = program.tool.version_question
    if question is None:
        return
    try:
        version = ask_version(entry.unfinished / program.name, question)
    except NoVersionError as error:
        found = str(error)
    else:
        if version == program.module.release:
            return
        found = f"says it is version {version}"
    raise ConfigurationError(
        f"{program.name} was built from {program.module.version}, but it {found}.",
        where=program.location(DEFINITION),
        remedy="correct tool.version_question or tool.go.linker_variables there",
    )
