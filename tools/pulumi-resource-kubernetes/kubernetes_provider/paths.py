"""Places inside an object, and how Pulumi writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Keys of maps and positions in lists, from the outside in."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def write(path: Path) -> str:
    """The place as Pulumi writes it: ``spec.containers[0].image``, ``metadata.labels["app.kubernetes.io/name"]``."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN_KEY.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key)}]"
    return text


def names(path: Path) -> tuple[str, ...]:
    """The place without positions in lists, as tables of fields say it."""
    return tuple(key for key in path if isinstance(key, str))


def get(value: Any, *keys: str | int) -> Any:
    """What is at a place; None if there is nothing."""
    for key in keys:
        if isinstance(key, int):
            value = value[key] if isinstance(value, list) and key < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value
