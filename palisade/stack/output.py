"""Reads the fleet object from a stack's outputs; selects a stack and never creates one."""

from __future__ import annotations

from palisade.fleet import Fleet, parse_fleet
from palisade.stack.access import to_read
from palisade.stack.model import Stack


def read_stack_fleet(stack: Stack) -> Fleet:
    """The ``fleet`` output of a stack.

    Raises:
        MachineError: pulumi is neither on PATH nor built.
        PalisadeError: there is no such stack or output, nobody is logged in, or pulumi does not answer in time.
        ConfigurationError: the output has another version or is not a fleet object.
    """
    said = to_read(stack).answer("stack", "output", "fleet", "--json")
    return parse_fleet(said, where=f"pulumi stack output fleet --json --stack {stack.environment}")
