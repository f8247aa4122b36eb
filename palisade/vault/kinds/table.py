"""Which function compares which kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from palisade.vault.changes import Change
from palisade.vault.kinds.aliases import find_alias
from palisade.vault.kinds.authorities import find_authority
from palisade.vault.kinds.cluster_login import find_cluster_login
from palisade.vault.kinds.context import Context
from palisade.vault.kinds.keys import find_key
from palisade.vault.kinds.mounts import find_mount
from palisade.vault.kinds.secrets import find_secret
from palisade.vault.kinds.settings import find_settings
from palisade.vault.resources import Kind, Resource

_FINDERS: Mapping[Kind, Callable[[Context, Resource], Change | None]] = {
    Kind.MOUNT: find_mount,
    Kind.AUTHORITY: find_authority,
    Kind.POLICY: find_settings,
    Kind.KEY: find_key,
    Kind.SECRET: find_secret,
    Kind.SETTINGS: find_settings,
    Kind.ALIAS: find_alias,
    Kind.CLUSTER_LOGIN: find_cluster_login,
}


def find_change(context: Context, resource: Resource) -> Change | None:
    """What differs between an entry and Vault; None if nothing does."""
    return _FINDERS[resource.kind](context, resource)
