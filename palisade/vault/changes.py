"""One difference between what is declared and what is in Vault, and how it is taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What takes a difference away."""

    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"
    WAIT = "wait"
    """Nothing now: something that it needs is not there."""
    REFUSE = "refuse"
    """Nothing that Palisade does: it would destroy something."""


@dataclass(frozen=True)
class Change:
    """One difference.

    Args:
        path: Where in Vault.
        action: What takes it away.
        before: The values that differ, as they are; secrets are never among them.
        after: The same values as they are declared.
        reason: Why, where the values do not say it.
        make: Takes it away.
    """

    path: str
    action: Action
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    make: Callable[[], object] = field(default=lambda: None, compare=False, repr=False)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "path": self.path,
            "action": self.action.value,
            "before": dict(self.before),
            "after": dict(self.after),
            "reason": self.reason,
        }
