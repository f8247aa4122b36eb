"""One difference between what is declared and what is in Vault, and how it is taken away."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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


def change_of_existing(
    path: str,
    differing: tuple[Mapping[str, Any], Mapping[str, Any]],
    make: Callable[[Mapping[str, Any]], object],
    *,
    fixed: Collection[str],
    refusal: str,
) -> Change | None:
    """The change of something that is there; None if nothing differs.

    Args:
        path: Where in Vault.
        differing: What differs, as it is and as it is declared.
        make: Takes the difference away, given what is declared.
        fixed: What can only be as it was made; a difference in it is refused.
        refusal: Why, and what to do; {} stands for the names of what differs.
    """
    before, after = differing
    if not after:
        return None
    if wrong := [name for name in after if name in fixed]:
        return Change(path, Action.REFUSE, before, after, refusal.format(", ".join(wrong)))
    return Change(path, Action.UPDATE, before, after, make=lambda: make(after))
