"""Runs the pulumi command line on one stack: to be read, or in the user's terminal."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from palisade.errors import MachineError, PalisadeError
from palisade.local.processes import write_whole
from palisade.stack.failures import errors_in, failure
from palisade.stack.model import Stack
from palisade.stack.surroundings import Surroundings

ANSWER_SECONDS = 60.0
"""How long reading from a stack may take; a backend over a slow network takes seconds."""
SALT = "encryptionsalt:"
"""The line that pulumi adds to the configuration of a stack; it belongs to one passphrase."""


@dataclass(frozen=True)
class Pulumi:
    """The pulumi program, ready for one stack.

    Args:
        program: The executable.
        stack: The stack.
        surroundings: Its environment variables.
    """

    program: Path
    stack: Stack
    surroundings: Surroundings

    def adding(self, variables: Mapping[str, str]) -> Pulumi:
        """The same with more environment variables."""
        more = replace(self.surroundings, variables={**self.surroundings.variables, **variables})
        return replace(self, surroundings=more)

    def answer(self, *arguments: str, seconds: float = ANSWER_SECONDS) -> str:
        """What pulumi writes to standard output; it asks nothing.

        Args:
            arguments: The command and its options, without the stack's name.
            seconds: How long it may take.

        Raises:
            MachineError: it cannot be started.
            ChangesError: there is something to change, and ``--expect-no-changes`` was asked.
            PalisadeError: it fails, with what it says explained, or it does not answer in time.
        """
        where = shlex.join(["pulumi", *arguments, "--stack", self.stack.environment])
        try:
            completed = subprocess.run(
                self._line(*arguments, "--non-interactive", "--color", "never"),
                env=self.surroundings.applied(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PalisadeError(
                f"pulumi has not answered within {seconds:.0f} seconds.",
                where=where,
                remedy=(
                    "check that the place where the stack's state is can be reached (pulumi whoami --verbose), and the "
                    "cluster if it was asked too"
                ),
            ) from error
        except OSError as error:
            raise self._cannot_start(error) from error
        finally:
            self._take_out_salt()
        if completed.returncode != 0:
            said = completed.stderr.strip() or errors_in(completed.stdout)
            raise failure(said, stack=self.stack, where=where, status=completed.returncode)
        return completed.stdout

    def show(self, *arguments: str, aside: bool = False) -> int:
        """Run pulumi in the user's terminal, with its own display and questions.

        Ctrl-C reaches pulumi itself, which ends in an orderly way; this waits for that.

        Args:
            arguments: The command and its options, without the stack's name.
            aside: Whether what it writes goes to standard error, because the answer is another one.

        Returns:
            Its exit code.

        Raises:
            MachineError: it cannot be started.
        """
        try:
            with subprocess.Popen(
                self._line(*arguments),
                env=self.surroundings.applied(),
                stdout=sys.stderr if aside else None,
            ) as process:
                return _end_of(process)
        except OSError as error:
            raise self._cannot_start(error) from error
        finally:
            self._take_out_salt()

    def _line(self, command: str, *arguments: str) -> list[str]:
        root = str(self.stack.project.root)
        return [str(self.program), command, *arguments, "--stack", self.stack.environment, "--cwd", root]

    def _cannot_start(self, error: OSError) -> MachineError:
        return MachineError(f"pulumi cannot be started: {error.strerror}.", where=str(self.program))

    def _take_out_salt(self) -> None:
        """Leave the environment's file, which is versioned, as it was: the state holds the same salt."""
        file = self.stack.configuration_file
        if self.stack.passphrase_file is None or not file.exists():
            return
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(SALT)]
        if kept != lines:
            write_whole(file, "".join(kept), mode=0o644)


def _end_of(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal sends it to pulumi as well
            continue
