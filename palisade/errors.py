"""The one error type that a user sees, and what each exit code means.

An error is part of the product: it says what is wrong, where, what would be allowed and what to do about it.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the ``palisade`` command; each means one thing (documented in ``docs/command-line.md``)."""

    OK = 0
    """The command did what was asked."""
    FINDINGS = 1
    """The command worked and its answer is "no": a control fails, a mutation survived."""
    USAGE = 2
    """The command line itself is wrong (an unknown option, a missing argument)."""
    CONFIGURATION = 3
    """A configuration, inventory or waiver file is refused; nothing was touched."""
    MACHINE = 4
    """This machine cannot do it: not root, too little memory or disk, a program, port 53 or a subnet."""
    EXTERNAL = 5
    """A program or a host that Palisade called failed or did not answer."""
    INTERNAL = 70
    """Palisade itself failed: a defect, or a system call that no command expects (EX_SOFTWARE of sysexits(3))."""
    INTERRUPTED = 130
    """Stopped with Ctrl-C; the same command goes on where it stopped."""


class PalisadeError(Exception):
    """A refusal or failure that is explained to the user.

    Args:
        problem: One sentence: what is wrong.
        where: The failing path: a file, a configuration key (``fleet.audit.retention_days``), a host.
        allowed: What would have been accepted.
        remedy: What to do now; a command line where there is one.
        exit_code: What the process exits with.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        allowed: str | None = None,
        remedy: str | None = None,
        exit_code: ExitCode = ExitCode.EXTERNAL,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.where = where
        self.allowed = allowed
        self.remedy = remedy
        self.exit_code = exit_code

    def lines(self) -> list[tuple[str, str]]:
        """The labelled parts that are present, in the order in which they are shown."""
        parts = [("error", self.problem), ("where", self.where), ("allowed", self.allowed), ("what to do", self.remedy)]
        return [(label, text) for label, text in parts if text]

    def __str__(self) -> str:
        """All parts on separate lines, as the command line shows them."""
        return "\n".join(f"{label}: {text}" for label, text in self.lines())


class ConfigurationError(PalisadeError):
    """A file that the user wrote is refused; nothing was touched. Exits with :attr:`ExitCode.CONFIGURATION`."""

    def __init__(
        self, problem: str, *, where: str | None = None, allowed: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(problem, where=where, allowed=allowed, remedy=remedy, exit_code=ExitCode.CONFIGURATION)


class MachineError(PalisadeError):
    """This machine cannot do what was asked. Exits with :attr:`ExitCode.MACHINE`."""

    def __init__(
        self, problem: str, *, where: str | None = None, allowed: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(problem, where=where, allowed=allowed, remedy=remedy, exit_code=ExitCode.MACHINE)
