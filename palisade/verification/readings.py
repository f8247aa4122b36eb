"""What is read on one host: each command runs once per run and is shared by all checks, until it is forgotten."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from palisade.fleet import Fleet, FleetHost
from palisade.verification.connections import Answer, Connections, Host

PROBES = Path(__file__).parent / "probes"
_ValueT = TypeVar("_ValueT")


class ReadingFailedError(Exception):
    """A command that reads the state of a host failed; the check that asked for it cannot pass."""


@dataclass
class Readings:
    """The readings of one host.

    Areas keep their parsed form here too (:meth:`once`), so that forty checks of one daemon parse its settings once.

    Args:
        target: The host.
        connections: How it, and the hosts beside it, are reached.
    """

    target: FleetHost
    connections: Connections
    _cache: dict[Any, Any] = field(default_factory=dict)

    @property
    def fleet(self) -> Fleet:
        """The fleet that the host belongs to."""
        return self.connections.fleet

    @property
    def host(self) -> Host:
        """The testinfra host; what is read through it directly is not remembered here."""
        return self.connections.host(self.target.name)

    def forget(self) -> None:
        """Forget everything that was read; the next check reads the host again."""
        self._cache.clear()

    def afresh(self) -> Readings:
        """The same host with nothing remembered: for what changes while a check waits for it."""
        return Readings(self.target, self.connections)

    def once(self, key: str, read: Callable[[], _ValueT]) -> _ValueT:
        """What ``read`` returns; it is called the first time only.

        Args:
            key: Names the reading.
            read: Reads and parses it.
        """
        if key not in self._cache:
            self._cache[key] = read()
        value: _ValueT = self._cache[key]
        return value

    def status_and_output(self, command: str) -> tuple[int, str]:
        """The exit status and standard output of a command that runs as root; any status is an answer.

        Args:
            command: A shell command that only reads.
        """

        def run() -> tuple[int, str, str]:
            result = self.host.run(command)
            return (result.rc, result.stdout, result.stderr)

        status, output, _ = self.once(f"$ {command}", run)
        return (status, output)

    def output(self, command: str) -> str:
        """The standard output of a command that runs as root and must succeed.

        Args:
            command: A shell command that only reads.

        Raises:
            ReadingFailedError: the command failed; the message has its last line of standard error.
        """
        status, output = self.status_and_output(command)
        if status != 0:
            error = self._cache[f"$ {command}"][2].strip().splitlines()
            said = f": {error[-1]}" if error else ""
            raise ReadingFailedError(f"{shortened(command)!r} ended with exit code {status}{said}")
        return output

    def probe(self, name: str, *arguments: str) -> Any:
        """Run one of the programs in ``probes/`` on the host as root and read the JSON document that it prints.

        Args:
            name: The program's file name without its ending.
            arguments: Its arguments.

        Raises:
            ReadingFailedError: the program failed.
        """
        source = (PROBES / f"{name}.py").read_text(encoding="utf-8")
        return json.loads(self.output(shlex.join(["python3", "-c", source, *arguments])))

    def login(self, command: str, *options: str) -> Answer:
        """What a command answers when the login user runs it in a fresh SSH login.

        Args:
            command: What the login shell runs.
            options: Further arguments of ``ssh``.
        """
        key = f"login {shlex.join(options)} $ {command}"
        return self.once(key, lambda: self.connections.login(self.target.name, command, *options))

    def forward(self, destination: str) -> Answer:
        """What the SSH daemon answers when a fresh login asks it to carry a connection.

        Args:
            destination: ``address:port``, as the host sees it.
        """
        return self.once(f"forward {destination}", lambda: self.connections.forward(self.target.name, destination))

    @property
    def in_container(self) -> bool:
        """Whether the host is a container, which shares the kernel of its machine (``systemd-detect-virt``)."""
        return self.status_and_output("systemd-detect-virt --container")[0] == 0


def shortened(command: str, characters: int = 80) -> str:
    """A command as an error shows it: one line, not the source of a whole probe."""
    line = " ".join(command.split())
    return line if len(line) <= characters else f"{line[:characters]}..."
