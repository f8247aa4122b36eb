"""What PostgreSQL and Redis say of themselves, and what they are on a host."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from palisade.verification.readings import Readings

_STATUS_FIELDS = ("NoNewPrivs", "CapBnd", "Seccomp")


def rows(readings: Readings, statement: str, *, database: str = "postgres") -> list[dict[str, Any]]:
    """The rows that the running server gives, read as the superuser over its own socket.

    Args:
        readings: The host.
        statement: A query without a semicolon at its end.
        database: Where it is run.

    Raises:
        ReadingFailedError: the server does not answer, or refuses the query.
    """
    # The statements are those of the control registry.
    wrapped = f"SELECT coalesce(json_agg(row_to_json(answer)), '[]') FROM ({statement}) AS answer"  # noqa: S608
    command = ["runuser", "--user=postgres", "--", "psql", "-XAtq", f"--dbname={database}", f"--command={wrapped}"]
    found: list[dict[str, Any]] = json.loads(readings.output(f"cd / && {shlex.join(command)}"))
    return found


def settings(readings: Readings) -> Mapping[str, str]:
    """Every setting of the running PostgreSQL server, as ``SHOW`` prints it."""
    answer = rows(readings, "SELECT name, current_setting(name, true) AS value FROM pg_settings")
    return {row["name"]: row["value"] for row in answer}


def confinement(readings: Readings, unit: str) -> Mapping[str, str]:
    """What the kernel takes from the main process of a unit: privileges, capabilities and system calls.

    Args:
        readings: The host.
        unit: The unit with its ending.
    """
    text = readings.output(f"cat /proc/$(systemctl show --property=MainPID --value {shlex.quote(unit)})/status")
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return {name: found[name].strip() for name in _STATUS_FIELDS}
