"""Gets pulumi ready for a stack: to read it with whatever pulumi there is, or to change it with the accepted one."""

from __future__ import annotations

import shutil
from pathlib import Path

from palisade.errors import MachineError
from palisade.project import Project
from palisade.stack.command import Pulumi
from palisade.stack.model import Stack
from palisade.stack.programs import PULUMI, program_directories
from palisade.stack.surroundings import prepare_local_state, surroundings
from palisade.tools.catalogue import load_catalogue
from palisade.tools.obtain import survey
from palisade.tools.toolchain import find_go


def to_read(stack: Stack) -> Pulumi:
    """Pulumi for a question about a stack; nothing is built or written for it.

    Raises:
        MachineError: pulumi is neither on PATH nor built.
    """
    return Pulumi(find_pulumi(stack.project), stack, surroundings(stack))


def to_change(stack: Stack) -> Pulumi:
    """Pulumi for work on a stack: programs that are missing are built, and a local stack has its passphrase.

    Raises:
        MachineError: a program cannot be built here.
        PalisadeError: a build fails.
    """
    directories = program_directories(stack.project)
    prepare_local_state(stack)
    found = shutil.which(PULUMI, path=":".join(map(str, directories)))
    return Pulumi(Path(str(found)), stack, surroundings(stack, directories))


def find_pulumi(project: Project) -> Path:
    """The pulumi program: the one on PATH, else the one that ``palisade tools`` built.

    Any version can read an output, so none is refused, and nothing is built to print an inventory.

    Raises:
        MachineError: there is none.
    """
    on_path = shutil.which(PULUMI)
    if on_path is not None:
        return Path(on_path)
    catalogue = load_catalogue(project)
    for finding in survey(catalogue, catalogue.select([PULUMI]), find_go()):
        if finding.path is not None:
            return finding.path
    raise MachineError(
        "pulumi is not there, so the stack cannot be read.",
        allowed="pulumi on PATH or built by Palisade; for an inventory also a saved fleet object",
        remedy=f"palisade tools {PULUMI}, or palisade inventory ENVIRONMENT --fleet fleet.json",
    )
