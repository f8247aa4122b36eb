"""Transit keys: made once; what they may be used for is kept."""

from __future__ import annotations

from palisade.vault.changes import Action, Change, change_of_existing
from palisade.vault.comparison import differing
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource

_LOOSENED_FOR_EVER = ("type", "exportable", "allow_plaintext_backup")
"""What Vault does not take back once a key has it."""


def find_key(context: Context, resource: Resource) -> Change | None:
    """What differs about a key.

    Args:
        context: The connection.
        resource: The entry.
    """
    fields = dict(resource.fields)
    read = context.vault.read(resource.path)
    protection = {"deletion_allowed": fields.pop("deletion_allowed")}

    def create() -> None:
        context.vault.write(resource.path, fields)
        context.vault.write(f"{resource.path}/config", protection)

    if read is None:
        return Change(resource.path, Action.CREATE, after=resource.fields, make=create)
    return change_of_existing(
        resource.path,
        differing(read, resource.fields),
        lambda _: context.vault.write(f"{resource.path}/config", protection),
        fixed=_LOOSENED_FOR_EVER,
        refusal="Vault never changes this about a key ({}): name a new key in vault.keys",
    )
