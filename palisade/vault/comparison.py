"""Whether Vault says what is declared: it gives back durations in seconds, lists in any order and nothing as null."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?:\d+[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")


def same(read: Any, declared: Any) -> bool:
    """Whether a value that was read means what is declared.

    Args:
        read: From Vault; None if it says nothing.
        declared: From ``policies/vault``.
    """
    if isinstance(declared, Mapping):
        return isinstance(read or {}, Mapping) and dict(read or {}) == dict(declared)
    if isinstance(declared, list):
        found = read.split(",") if isinstance(read, str) and read else read
        return sorted(map(str, found or [])) == sorted(map(str, declared))
    if isinstance(declared, bool):
        return read is declared
    wanted = seconds(declared)
    if wanted is not None:
        return seconds(read or 0) == wanted
    if isinstance(declared, str):
        return (str(read) if read is not None else "").strip() == declared.strip()
    return bool(read == declared)


def differing(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values that differ: as they are (without those that are not there), and as they are declared."""
    known = before or {}
    names = [name for name, value in after.items() if not same(known.get(name), value)]
    return {name: known[name] for name in names if name in known}, {name: after[name] for name in names}


def seconds(value: Any) -> int | None:
    """A duration in seconds; None if it is none.

    Args:
        value: A number of seconds, or text such as ``24h`` or ``1h30m``.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    return None
