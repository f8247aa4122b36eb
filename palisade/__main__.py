"""The ``palisade`` command: wires the sub-commands together and turns errors into exit codes."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise

import typer

from palisade.commands import access, bundle, images, inventory, local, plan, registry, secrets, stack, vault
from palisade.commands.environment import environment
from palisade.commands.prove import prove
from palisade.commands.render import render
from palisade.commands.tools import tools
from palisade.commands.verify import verify
from palisade.console import OutputFormat, print_error
from palisade.errors import ExitCode, MachineError, PalisadeError
from palisade.local.programs import search_roots_programs

application = typer.Typer(
    name="palisade",
    help="Provision, harden and prove an audit-ready API registry fleet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
application.add_typer(access.application, name="access")
application.add_typer(local.application, name="local")
application.add_typer(registry.application, name="registry")
application.add_typer(images.application, name="images")
application.add_typer(stack.application, name="stack")
application.add_typer(vault.application, name="vault")
application.add_typer(secrets.application, name="secrets")
application.add_typer(bundle.application, name="bundle")
application.command()(environment)
application.command()(plan.plan)
application.command()(inventory.inventory)
application.command()(render)
application.command()(tools)
application.command()(verify)
application.command()(prove)


def requested_output(arguments: Sequence[str]) -> OutputFormat:
    """What ``--output`` says, read from the raw command line: an error can come before any command has parsed it."""
    words = [word for argument in arguments for word in argument.split("=", maxsplit=1)]
    asked = ("--output", OutputFormat.JSON.value) in pairwise(words)
    return OutputFormat.JSON if asked else OutputFormat.TEXT


def unexpected(error: Exception) -> PalisadeError:
    """What the user is told about an exception that no command explains.

    A full disk is the machine's. Everything else is Palisade's own failure, and has its traceback on standard error.
    """
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return MachineError(
            f"The disk is full: {error.strerror}.",
            where=error.filename and str(error.filename),
            remedy="free disk space, then run the same command again; it goes on where it stopped",
        )
    traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return PalisadeError(
        f"Palisade itself failed: {type(error).__name__}: {error}",
        where=f"{last.filename}, line {last.lineno}",
        remedy="run the same command again; if it fails again, report it with the traceback on standard error",
        exit_code=ExitCode.INTERNAL,
    )


def main() -> None:
    """Run the command line and exit with an :class:`~palisade.errors.ExitCode`."""
    search_roots_programs()
    try:
        application()
    except PalisadeError as error:
        print_error(error, requested_output(sys.argv[1:]))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last one: Python's own exit code is 1, which means "no" here
        explained = unexpected(error)
        print_error(explained, requested_output(sys.argv[1:]))
        sys.exit(explained.exit_code)


if __name__ == "__main__":
    main()
