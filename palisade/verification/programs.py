"""What the programs of a host were started with, and where they listen."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from palisade.verification.readings import Readings

_USER = re.compile(r'users:\(\("(?P<program>[^"]+)"')


def flags(arguments: Iterable[str]) -> dict[str, str]:
    """Command line flags by name, as Go programs take them; of a flag that stands twice the last one counts.

    Args:
        arguments: ``--name=value``, or a bare ``--name`` (which means ``true``).
    """
    found = {}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name.startswith("-"):
            found[name.lstrip("-")] = value if "=" in argument else "true"
    return found


def running_flags(readings: Readings, unit: str) -> Mapping[str, str]:
    """The flags of the process that runs for a unit, as the kernel knows them.

    Raises:
        ReadingFailedError: the unit does not run.
    """
    text = readings.output(f"tr '\\0' '\\n' < /proc/$(systemctl show --property=MainPID --value {unit})/cmdline")
    return flags(text.splitlines()[1:])


def unit_flags(readings: Readings, unit: str) -> Mapping[str, str]:
    """The flags in the unit's file, with which its program will be started the next time."""
    text = readings.output(f"systemctl cat --no-pager {shlex.quote(unit)}").replace("\\\n", " ")
    commands = [line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart=")]
    return flags(shlex.split(commands[-1])[1:] if commands else [])


def listening(readings: Readings) -> Mapping[str, list[str]]:
    """Where each program listens for TCP connections: ``address:port``, sorted."""
    found: dict[str, set[str]] = {}
    for line in readings.output("ss --no-header --listening --tcp --numeric --processes").splitlines():
        user = _USER.search(line)
        found.setdefault(user["program"] if user else "", set()).add(line.split()[3])
    return {program: sorted(places) for program, places in found.items()}
