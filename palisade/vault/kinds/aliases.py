"""Which login belongs to which entity."""

from __future__ import annotations

from palisade.vault.changes import Action, Change
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource


def find_alias(context: Context, resource: Resource) -> Change | None:
    """Whether the entity has the login as its alias.

    Args:
        context: The connection.
        resource: The entry: the name of the login, of the entity and of the auth method.
    """
    fields = resource.fields
    vault = context.vault
    entity = vault.read(f"identity/entity/name/{fields['entity']}")
    aliases = (entity or {}).get("aliases") or []
    accessor = _accessor(context, fields["auth"])
    if any(alias["name"] == fields["name"] and alias["mount_accessor"] == accessor for alias in aliases):
        return None

    def make() -> None:
        owner = vault.read(f"identity/entity/name/{fields['entity']}") or {}
        mount_accessor = _accessor(context, fields["auth"])
        vault.write(
            "identity/entity-alias",
            {"name": fields["name"], "canonical_id": owner["id"], "mount_accessor": mount_accessor},
        )

    return Change(resource.path, Action.CREATE, after=fields, make=make)


def _accessor(context: Context, auth: str) -> str:
    mounted = (context.vault.read("sys/auth") or {}).get(f"{auth}/") or {}
    return str(mounted.get("accessor", ""))
