"""What can go wrong at the API server, and how it is told: what, where, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from palisade.errors import PalisadeError

_SHORTEST_SECRET = 3
"""Shorter texts would turn half of a message into stars, and protect nothing."""


class UnreachableError(PalisadeError):
    """Nobody answers at the address of the API server."""

    def __init__(self, server: str, reason: Exception) -> None:
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
        return PalisadeError(f"The Kubernetes API server refuses: {self.message}", where=where)


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
