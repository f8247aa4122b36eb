"""What can go wrong at the API server, and how it is told: what, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from palisade.errors import PalisadeError

_SHORTEST_SECRET = 3
"""Shorter texts would turn half of a message into stars, and protect nothing."""
_NOT_LOGGED_IN, _FORBIDDEN, _BUSY, _FIRST_FAULT = 401, 403, 429, 500
_LACKS_RIGHTS = re.compile(r'User "[^"]*" cannot ')


class UnreachableError(PalisadeError):
    """Nobody answers at the address of the API server."""

    def __init__(self, server: str, reason: Exception) -> None:
        self.message: str = f"the API server does not answer ({_innermost(reason)})"
        super().__init__(
            f"The Kubernetes API server does not answer: {_innermost(reason)}",
            where=server,
            remedy="start the cluster, or correct the kubeconfig or its context",
        )


class UnknownKindError(PalisadeError):
    """The API server does not serve this kind of object."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"The cluster does not know the kind {kind}.",
            where="apiVersion, kind",
            remedy="declare its CustomResourceDefinition first and let this object depend on it, or correct the kind",
        )


@dataclass(frozen=True)
class Cause:
    """One of the reasons why the server refuses."""

    reason: str
    field: str
    message: str


class AnswerError(Exception):
    """The API server refuses.

    Args:
        status: The HTTP status.
        document: Its answer, mostly a ``Status`` object.
    """

    def __init__(self, status: int, document: Any) -> None:
        self.status = status
        answer = document if isinstance(document, dict) else {}
        self.message: str = answer.get("message") or f"HTTP status {status}"
        self.reason: str = answer.get("reason") or ""
        details = answer.get("details") or {}
        self.subject: str = f"{details.get('kind') or ''}/{details.get('name') or ''}".strip("/")
        self.causes: Sequence[Cause] = [
            Cause(cause.get("reason") or "", cause.get("field") or "", cause.get("message") or "")
            for cause in details.get("causes") or []
        ]
        super().__init__(self.message)

    @property
    def conflicts(self) -> list[tuple[str, str]]:
        """Each field that another manager owns, and who: ``(".spec.replicas", "kubectl-edit")``."""
        return [
            (cause.field, _manager(cause.message)) for cause in self.causes if cause.reason == "FieldManagerConflict"
        ]

    def explain(self, where: str) -> PalisadeError:
        """The error as the user sees it.

        Args:
            where: The object: kind, namespace and name.
        """
        if self.conflicts:
            owners = sorted({manager for _, manager in self.conflicts})
            fields = "\n".join(f"  {field.lstrip('.')}: {manager}" for field, manager in self.conflicts)
            return PalisadeError(
                f"Somebody else has set these fields, so they are not changed:\n{fields}",
                where=where,
                remedy=(
                    f"leave the fields to {' and '.join(owners)} (take them out of the program, or ignore_changes), "
                    'or take them back with the annotation pulumi.com/patchForce: "true"'
                ),
            )
        return PalisadeError(f"The Kubernetes API server refuses: {self.message}", where=where, remedy=self._remedy)

    @property
    def outage(self) -> str:
        """Why the server does not answer for now; empty if this is its answer."""
        is_passing = self.status >= _FIRST_FAULT or self.status == _BUSY
        return f"the API server does not answer ({self.message})" if is_passing else ""

    @property
    def _remedy(self) -> str | None:
        if self.status == _NOT_LOGGED_IN:
            return "log in to the cluster again, or correct the kubeconfig or its context"
        # Policies and quotas forbid things too, and then it is not a matter of who asks.
        if self.status == _FORBIDDEN and _LACKS_RIGHTS.search(self.message):
            return "give this user the right, or use a kubeconfig or a context that has it"
        return None


def already_there(where: str, identifier: str, *, stack: str, is_own: bool) -> PalisadeError:
    """The error for an object that is to be made, and is there.

    Args:
        where: The object: kind, namespace and name.
        identifier: Its id in Pulumi's state.
        stack: The stack that is to make it.
        is_own: Whether this stack has set fields of it.
    """
    importing = f"take it over with ResourceOptions(import_={identifier!r})"
    renaming = "if a resource was renamed, give it aliases"
    if is_own:
        return PalisadeError(
            "The object is there already: this stack has made it, and does not know of it any more (an interrupted "
            "run, a lost state, or two resources of the program with one name).",
            where=where,
            remedy=f"after an interrupted run: palisade stack recover {stack}; otherwise {importing}; {renaming}",
        )
    return PalisadeError(
        "The object is there already, and this stack has not made it.",
        where=where,
        remedy=f"{importing}, or delete it; {renaming}",
    )


def without_secrets(message: str, secrets: Iterable[str]) -> str:
    """A message in which no secret text is left; servers like to quote what they refuse."""
    for text in sorted(secrets, key=len, reverse=True):
        if len(text) >= _SHORTEST_SECRET:
            message = message.replace(text, "[secret]")
    return message


def _manager(message: str) -> str:
    found = re.search(r'conflict with "([^"]+)"', message)
    return found.group(1) if found else message


def _innermost(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return _innermost(reason) if isinstance(reason, Exception) else str(error)
