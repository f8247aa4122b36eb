"""Anything that is read and written at one path: PKI roles, logins, policies, identity."""

from __future__ import annotations

from palisade.vault.changes import Action, Change
from palisade.vault.comparison import differing
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Kind, Resource


def find_settings(context: Context, resource: Resource) -> Change | None:
    """What differs at the path.

    Args:
        context: The connection.
        resource: The entry.
    """
    read = context.vault.read(resource.path)
    before, after = differing(read, context.resolved(dict(resource.fields)))
    if read is not None and not after:
        return None

    def make() -> None:
        # Everything is written, not only what differs: some paths take what is not named for a default.
        context.vault.write(resource.path, context.resolved({**resource.fields, **resource.write_only}))

    if resource.kind is Kind.POLICY:
        before, after = _changed_lines(before.get("policy", ""), after["policy"])
    return Change(resource.path, Action.CREATE if read is None else Action.UPDATE, before, after, make=make)


def _changed_lines(before: str, after: str) -> tuple[dict[str, str], dict[str, str]]:
    """The lines of a policy that only one side has: a whole policy in a table hides the line that matters."""
    old, new = before.strip().splitlines(), after.strip().splitlines()
    gone = [line for line in old if line not in new]
    come = [line for line in new if line not in old]
    return ({"policy": "\n".join(gone)} if old else {}), {
        "policy": "\n".join(come) or "(the same lines, in this order)"
    }
