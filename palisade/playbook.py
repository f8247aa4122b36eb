"""Runs a playbook of the checkout with the inventory and the Ansible that people use, and shows what it does."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import ConfigurationError
from palisade.local.processes import follow

_SHOWN_LINES = 30
_TASK = re.compile(r"^TASK \[(?P<name>.+)\] \*+$")
_RECAP = re.compile(r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """A playbook run that has ended."""

    command: str
    status: int
    output: str

    @property
    def succeeded(self) -> bool:
        """Whether no task failed and every host was reached."""
        return self.status == 0

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts together."""
        return sum(int(found["changed"]) for found in _RECAP.finditer(self.output))

    @property
    def failures(self) -> str:
        """What failed on which host; the end of the output if no task did."""
        blocks = [block for block in self.output.split("\n\n") if "fatal: [" in block]
        lines = (blocks[0] if blocks else self.output).strip().splitlines()
        return "\n".join(lines[:_SHOWN_LINES] if blocks else lines[-_SHOWN_LINES:])


def play(
    checkout: Path,
    environment: str,
    playbook: str,
    *,
    arguments: Sequence[str] = (),
    on_task: Callable[[str], None] = lambda _: None,
) -> Play:
    """Run a playbook on the hosts of an environment.

    Args:
        checkout: Where ``ansible.cfg``, the playbook and ``inventories/<environment>`` are.
        environment: The name of the environment.
        playbook: Its path in the checkout.
        arguments: More arguments of ``ansible-playbook``.
        on_task: Called with the name of each task that begins.

    Raises:
        ConfigurationError: the environment has no inventory.
        PalisadeError: there is no ansible-playbook beside this Python.
    """
    inventory = checkout / "inventories" / environment
    if not inventory.is_dir():
        raise ConfigurationError(
            f"The environment {environment} has no inventory.",
            where=str(inventory),
            remedy=f"mkdir {inventory} && ln -s ../fleet.py {inventory}/fleet.py",
        )
    # The one that was installed with this interpreter; another one on PATH may be of any version.
    program = Path(sys.executable).parent / "ansible-playbook"
    command = (str(program), "-i", str(inventory), playbook, *arguments)

    def say(line: str) -> None:
        if found := _TASK.match(line):
            on_task(found["name"])

    # Connections of an earlier fleet with the same host names may still be open: they must not be used.
    with tempfile.TemporaryDirectory(prefix="palisade-") as connections:
        own = ("--extra-vars", f"ansible_control_path_dir={connections}")
        variables = {"LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", "PALISADE_PROJECT": str(checkout)}
        finished = follow((*command, *own), on_line=say, directory=checkout, environment=variables)
    return Play(command=" ".join(command), status=finished.status, output=finished.output)
