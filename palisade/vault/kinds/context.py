"""What every kind needs: the connection to Vault, and the cluster where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palisade.vault.kinds.cluster_api import ReviewerApi

if TYPE_CHECKING:
    from palisade.vault.client import Vault

UNKNOWN = "(known when it is applied)"
"""Stands for a value that Vault makes: nobody knows it before what it comes from is there."""


@dataclass(frozen=True)
class Context:
    """What a comparison is made with.

    Args:
        vault: The connection.
        reviewer: The cluster whose service accounts log in; None where there is no cluster.
    """

    vault: Vault
    reviewer: Callable[[], ReviewerApi] | None = None

    def resolved(self, value: Any) -> Any:
        """The value with each ``{from: PATH, field: NAME}`` replaced by what stands there."""
        if isinstance(value, dict):
            if value.keys() == {"from", "field"}:
                return self._looked_up(value["from"], value["field"])
            return {name: self.resolved(one) for name, one in value.items()}
        return [self.resolved(one) for one in value] if isinstance(value, list) else value

    def _looked_up(self, path: str, field: str) -> Any:
        found: Any = self.vault.read(path)
        for name in field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return UNKNOWN if found is None else found
