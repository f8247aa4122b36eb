"""Secrets engines and auth methods."""

from __future__ import annotations

from palisade.vault.changes import Action, Change, change_of_existing
from palisade.vault.comparison import differing
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource

_FIXED = ("type", "version")
"""What an engine is made as; another one at its path can only follow after everything in it is destroyed."""


def find_mount(context: Context, resource: Resource) -> Change | None:
    """What differs about an engine or an auth method.

    Args:
        context: The connection.
        resource: The entry; its path begins with ``sys/mounts/`` or ``sys/auth/``.
    """
    place, _, name = resource.path.rpartition("/")
    mounted = (context.vault.read(place) or {}).get(f"{name}/")
    fields = dict(resource.fields)
    if mounted is None:
        return Change(
            resource.path, Action.CREATE, after=fields, make=lambda: context.vault.write(resource.path, _new(fields))
        )
    read = {
        "type": mounted["type"],
        "version": (mounted.get("options") or {}).get("version"),
        "description": mounted["description"],
        "max_lease_ttl": mounted["config"]["max_lease_ttl"],
    }
    return change_of_existing(
        resource.path,
        differing(read, fields),
        lambda after: context.vault.write(f"{resource.path}/tune", after),
        fixed=_FIXED,
        refusal="something else is mounted there: choose another path in vault.mounts, or move it ({})",
    )


def _new(fields: dict[str, str]) -> dict[str, object]:
    document: dict[str, object] = {"type": fields["type"], "description": fields["description"]}
    if "version" in fields:
        document["options"] = {"version": fields["version"]}
    if "max_lease_ttl" in fields:
        document["config"] = {"max_lease_ttl": fields["max_lease_ttl"]}
    return document
