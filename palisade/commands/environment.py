"""``palisade environment``: what a shell needs so that pulumi and kubectl work on the stack of an environment."""

from __future__ import annotations

from typing import Annotated

import typer

from palisade.console import ANSWER, OutputFormat, print_json
from palisade.project import Project
from palisade.stack.access import to_change
from palisade.stack.model import find_stack


def environment(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Print shell lines after which pulumi and kubectl work: eval "$(palisade environment local)".

    Programs that are missing are found or built first. A local fleet gets the directory and the passphrase of its
    state; no stack is made. Nothing secret is printed.
    """
    surroundings = to_change(find_stack(Project.find(), environment)).surroundings
    if output is OutputFormat.JSON:
        print_json(
            {"environment": environment, "set": dict(surroundings.variables), "unset": list(surroundings.removed)}
        )
        return
    for line in surroundings.shell_lines():
        ANSWER.print(line, soft_wrap=True, markup=False)
