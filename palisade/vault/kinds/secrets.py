"""Entries of the KV engine: values are generated once, and what is there is never overwritten or shown."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from typing import Any

from palisade.vault.changes import Action, Change
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource

_CHARACTERS = string.ascii_letters + string.digits
"""No character that a shell, a URL or a connection string takes for something else."""
HIDDEN = "(secret)"
MISSING = "(missing)"


def find_secret(context: Context, resource: Resource) -> Change | None:
    """Which values of an entry are missing.

    Args:
        context: The connection.
        resource: The entry; its path has ``data`` after the mount.
    """
    mount, _, name = resource.path.partition("/data/")
    # Tells the names without the values, so that who verifies need not be able to read secrets.
    found = context.vault.read(f"{mount}/subkeys/{name}")
    present = found["subkeys"] if found else None
    missing = [key for key in resource.fields if key not in (present or {})]
    if not missing:
        return None

    def make() -> None:
        data, version = context.vault.entry(resource.path)
        new = {key: _value(value) for key, value in resource.fields.items() if key not in data}
        # Check-and-set: what somebody else has written in between is not overwritten.
        context.vault.write(resource.path, {"options": {"cas": version}, "data": {**data, **new}})

    before = {} if present is None else dict.fromkeys(missing, MISSING)
    return Change(
        resource.path,
        Action.CREATE if present is None else Action.UPDATE,
        before,
        dict.fromkeys(missing, HIDDEN),
        make=make,
    )


def _value(declared: Any) -> str:
    if isinstance(declared, Mapping):
        return "".join(secrets.choice(_CHARACTERS) for _ in range(declared["generate"]))
    return str(declared)
