"""Reads the fleet object from a stack's outputs; selects a stack and never creates one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from palisade.errors import MachineError, PalisadeError
from palisade.fleet import Fleet, parse_fleet
from palisade.project import Project
from palisade.tools.catalogue import load_catalogue
from palisade.tools.obtain import survey
from palisade.tools.toolchain import find_go

PROGRAM = "pulumi"
ANSWER_SECONDS = 60.0
"""How long reading an output may take; a backend over a slow network takes seconds."""

_KNOWN_FAILURES = (
    (
        ("no stack named",),
        "The environment {environment} has no stack yet.",
        "build it: pulumi stack init {environment} && pulumi up --stack {environment}",
    ),
    (
        ("PULUMI_ACCESS_TOKEN must be set", "not logged in", "aren't logged in", "Unauthorized"),
        "pulumi is not logged in to the place where the stack's state is.",
        "pulumi login (or pulumi login file://DIRECTORY for state in files), or set PULUMI_BACKEND_URL",
    ),
    (
        ("PULUMI_CONFIG_PASSPHRASE", "incorrect passphrase"),
        "pulumi needs the passphrase of the stack {environment}.",
        "set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
    ),
    (
        ("does not have output property",),
        "The stack {environment} has no fleet output.",
        "pulumi up --stack {environment}",
    ),
)
"""What pulumi says (any of the texts), what it means, what to do."""


def read_stack_fleet(project: Project, environment: str) -> Fleet:
    """The ``fleet`` output of an environment's stack.

    Raises:
        MachineError: pulumi is neither on PATH nor built.
        PalisadeError: there is no such stack or output, nobody is logged in, or pulumi does not answer in time.
        ConfigurationError: the output has another version or is not a fleet object.
    """
    program = find_pulumi(project)
    where = f"pulumi stack output fleet --json --stack {environment}"
    arguments = ["--cwd", str(project.root), "--non-interactive", "--color", "never"]
    try:
        completed = subprocess.run(
            [str(program), *where.split()[1:], *arguments],
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PalisadeError(
            f"pulumi has not answered within {ANSWER_SECONDS:.0f} seconds.",
            where=where,
            remedy="check that the place where the stack's state is can be reached: pulumi whoami --verbose",
        ) from error
    except OSError as error:
        raise MachineError(f"pulumi cannot be started: {error.strerror}.", where=str(program)) from error
    if completed.returncode != 0:
        raise _failure(completed.stderr, environment=environment, where=where)
    return parse_fleet(completed.stdout, where=where)


def find_pulumi(project: Project) -> Path:
    """The pulumi program: the one on PATH, else the one that ``palisade tools`` built.

    Any version can read an output, so none is refused, and nothing is built to print an inventory.

    Raises:
        MachineError: there is none.
    """
    on_path = shutil.which(PROGRAM)
    if on_path is not None:
        return Path(on_path)
    catalogue = load_catalogue(project)
    for finding in survey(catalogue, catalogue.select([PROGRAM]), find_go()):
        if finding.program.name == PROGRAM and finding.path is not None:
            return finding.path
    raise MachineError(
        "pulumi is not there, so the stack's fleet cannot be read.",
        allowed="pulumi on PATH or built by Palisade, or a saved fleet object",
        remedy=f"palisade tools {PROGRAM}, or palisade inventory ENVIRONMENT --fleet fleet.json",
    )


def _failure(said: str, *, environment: str, where: str) -> PalisadeError:
    for texts, problem, remedy in _KNOWN_FAILURES:
        if any(text in said for text in texts):
            return PalisadeError(
                problem.format(environment=environment), where=where, remedy=remedy.format(environment=environment)
            )
    return PalisadeError(f"pulumi failed: {said.strip() or 'it did not say why'}", where=where)
