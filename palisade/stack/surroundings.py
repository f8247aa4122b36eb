"""What pulumi and kubectl find around them when they work on a stack: environment variables, and PATH."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palisade.local.lock import exclusive
from palisade.local.processes import write_whole
from palisade.stack.model import Stack

PASSPHRASE_BYTES = 32


@dataclass(frozen=True)
class Surroundings:
    """Environment variables for one stack.

    Args:
        variables: What is set.
        removed: What must not be set, because it would win over what is.
    """

    variables: Mapping[str, str]
    removed: tuple[str, ...] = field(default=())

    def applied(self) -> dict[str, str]:
        """The environment of a process that Palisade starts."""
        kept = {name: value for name, value in os.environ.items() if name not in self.removed}
        return {**kept, **self.variables}

    def shell_lines(self) -> list[str]:
        """The same for ``eval`` in a POSIX shell; everything is quoted."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(self.variables.items())]
        return [f"unset {name}" for name in self.removed] + exports


def surroundings(stack: Stack, directories: Iterable[Path] = ()) -> Surroundings:
    """What a stack's configuration says about its state, and nothing that is secret; changes nothing.

    Args:
        stack: The stack.
        directories: What comes first on PATH.
    """
    variables = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    removed: tuple[str, ...] = ()
    if stack.backend is not None:
        variables["PULUMI_BACKEND_URL"] = stack.backend
    if stack.passphrase_file is not None:
        variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(stack.passphrase_file)
        # Every user has another passphrase. What Pulumi needs to check it (the salt) is taken from the state then, and
        # need not stand in the file of the environment, which all share.
        variables["PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER"] = "true"
        removed = ("PULUMI_CONFIG_PASSPHRASE",)
    if stack.kubeconfig is not None:
        variables["KUBECONFIG"] = str(stack.kubeconfig)
    if path := _path(directories):
        variables["PATH"] = path
    return Surroundings(variables, removed)


def prepare_local_state(stack: Stack) -> None:
    """Have the directory and the passphrase of a local stack's state; other stacks have their own place.

    Only this user can read either. What is there already stays as it is.
    """
    if stack.passphrase_file is None:
        return
    directories = {stack.passphrase_file.parent, stack.files.directory if stack.files else stack.passphrase_file.parent}
    for directory in directories:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive(stack.passphrase_file.with_suffix(".lock"), waiting=lambda _: None):
        if not stack.passphrase_file.exists():
            write_whole(stack.passphrase_file, secrets.token_urlsafe(PASSPHRASE_BYTES) + "\n")


def _path(directories: Iterable[Path]) -> str:
    first = [str(directory) for directory in directories]
    if not first:
        return ""
    rest = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*first, *(entry for entry in rest if entry not in first)])
