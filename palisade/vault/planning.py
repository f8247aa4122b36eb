"""Compares everything that is declared with what is in Vault, and makes it so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from palisade.errors import PalisadeError
from palisade.vault.changes import Action, Change
from palisade.vault.kinds import find_change
from palisade.vault.kinds.context import Context
from palisade.vault.lock import exclusive
from palisade.vault.resources import Declared, Kind, Resource


@dataclass(frozen=True)
class Plan:
    """Every difference, in the order in which it is taken away."""

    changes: tuple[Change, ...]

    @property
    def refused(self) -> tuple[Change, ...]:
        """Differences that Palisade does not take away."""
        return tuple(change for change in self.changes if change.action is Action.REFUSE)


def make_plan(context: Context, declared: Declared) -> Plan:
    """Compare; nothing is changed.

    Args:
        context: The connection.
        declared: What is declared.
    """
    found = (find_change(context, resource) for resource in declared.resources)
    return Plan((*(change for change in found if change is not None), *_not_declared(context, declared)))


def apply(
    context: Context, declared: Declared, *, lock: str, told: Callable[[Change], None] = lambda _: None
) -> tuple[Change, ...]:
    """Take every difference away; what is right is not touched.

    Args:
        context: The connection.
        declared: What is declared.
        lock: The entry of the KV engine that is the lock.
        told: Called with each change that was made.

    Returns:
        What was changed, and what still waits.

    Raises:
        PalisadeError: a difference must be taken away by hand (then nothing was changed), somebody else is changing
            this Vault, Vault refuses, or does not keep what was written.
    """
    plan = make_plan(context, declared)
    _require_possible(plan)
    if all(change.action is Action.WAIT for change in plan.changes):
        return plan.changes
    made = [*_make_place_for_the_lock(context, declared, lock)]
    for first in made:
        told(first)
    with exclusive(context.vault, lock) as held:
        for resource in declared.resources:
            # Looked at again: somebody else may have been faster, and later entries need what earlier ones made.
            change = find_change(context, resource)
            if change is None:
                continue
            held.require()
            change.make()
            made.append(change)
            told(change)
        for extra in _not_declared(context, declared):
            held.require()
            extra.make()
            made.append(extra)
            told(extra)
        left = [change for change in make_plan(context, declared).changes if change.action is not Action.WAIT]
    if left:
        names = ", ".join(f"{change.path} ({', '.join(change.after)})" for change in left)
        raise PalisadeError(
            "Vault did not keep what was written to it.",
            where=names,
            remedy="run palisade vault plan: somebody else changes it, or this server does not know the setting",
        )
    return tuple(made)


def _make_place_for_the_lock(context: Context, declared: Declared, lock: str) -> Iterator[Change]:
    mount = lock.partition("/data/")[0]
    for resource in declared.resources:
        if resource.kind is Kind.MOUNT and resource.path == f"sys/mounts/{mount}":
            yield from _made_unless_there(context, resource)


def _made_unless_there(context: Context, resource: Resource) -> Iterator[Change]:
    change = find_change(context, resource)
    if change is None or change.action is not Action.CREATE:
        return
    try:
        change.make()
    except PalisadeError:
        # Whoever began at the same moment has made it: then it is there now.
        if find_change(context, resource) is not None:
            raise
        return
    yield change


def _not_declared(context: Context, declared: Declared) -> Iterator[Change]:
    known = {resource.path for resource in declared.resources}
    for owned in declared.owned:
        for name in context.vault.list(owned.path):
            path = f"{owned.path}/{name}"
            if name.startswith(owned.prefix) and path not in known:
                yield Change(
                    path,
                    Action.REMOVE,
                    before={"name": name},
                    reason="it is not declared",
                    make=lambda path=path: context.vault.delete(path),  # type: ignore[misc]
                )


def _require_possible(plan: Plan) -> None:
    if not plan.refused:
        return
    listing = "\n".join(f"  {change.path}: {change.reason}" for change in plan.refused)
    raise PalisadeError(
        f"{len(plan.refused)} differences would destroy something; nothing was changed:\n{listing}",
        allowed="what palisade vault plan shows as create, update or remove",
        remedy="do what stands beside each, then run palisade vault apply again",
    )
