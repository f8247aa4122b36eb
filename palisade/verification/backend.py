"""A testinfra backend that keeps one root session per host open.

A login and a sudo for each command would take most of the time of a verification: it took 28 s instead of 7 s a host.
"""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from testinfra.backend import base  # type: ignore[import-untyped]

from palisade.verification.probes import agent

_STARTER = "import json, sys; exec(json.loads(sys.stdin.readline()))"


class SessionLostError(Exception):
    """The session to a host ended while a command was running or could not be started."""


class SessionBackend(base.BaseBackend):  # type: ignore[misc]
    """Runs every command as root in one session over SSH.

    Args:
        name: The host, as the SSH configuration knows it.
        configuration: The OpenSSH client configuration.
    """

    NAME = "palisade-session"

    def __init__(self, name: str, configuration: Path) -> None:
        super().__init__(name)
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the session

    def run(self, command: str, *args: str, **_: Any) -> Any:
        """Run a command as root; each ``%s`` in it is replaced by the next argument, quoted for the shell.

        Returns:
            testinfra's ``CommandResult``.

        Raises:
            SessionLostError: the host cannot be reached, or was lost.
        """
        text = self.get_command(command, *args)
        try:
            process = self._session()
            self._send(process, text)
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = b""
        if not reply:
            raise SessionLostError(f"the session to {self.hostname} was lost: {self._last_words()}")
        status, output, error = json.loads(reply)
        return self.result(status, text.encode(), base64.b64decode(output), base64.b64decode(error))

    def close(self) -> None:
        """End the session."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            with suppress(BrokenPipeError):  # what was not sent to a session that is lost
                self._process.stdin.close()
            self._process.wait()
            self._process = None
        self._log.close()

    def _session(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # The program goes through standard input: the log of sudo shows one short line and not its source.
            remote = shlex.join(["sudo", "-n", "python3", "-c", _STARTER])
            self._process = subprocess.Popen(
                ["ssh", "-F", str(self._configuration), self.hostname, remote],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
            source = Path(agent.__file__).read_text(encoding="utf-8")
            self._send(self._process, source)
        return self._process

    @staticmethod
    def _send(process: subprocess.Popen[bytes], text: str) -> None:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(text).encode() + b"\n")
        process.stdin.flush()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no message")
