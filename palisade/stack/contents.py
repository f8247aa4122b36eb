"""What the state of a stack says: how much is in it, since when, and what was interrupted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palisade.stack.command import Pulumi
from palisade.stack.failures import MissingError

CREATING = "creating"
"""The kind of an operation that makes something."""
KUBERNETES = "kubernetes:"
"""How the types of Kubernetes objects begin."""


@dataclass(frozen=True)
class PendingOperation:
    """Something that pulumi had begun when it was killed: nobody knows whether it was done.

    Args:
        kind: ``creating``, ``updating``, ``deleting`` ...
        urn: The resource, as Pulumi names it.
        identity: How the provider would find it: ``namespace/name`` of a Kubernetes object; empty where only the
            provider could have said it.
    """

    kind: str
    urn: str
    identity: str

    @property
    def words(self) -> str:
        """Kind, type and name of the resource, for people."""
        *_, types, name = self.urn.split("::")
        return f"{self.kind} {types.rpartition('$')[2]} {name}"


@dataclass(frozen=True)
class Contents:
    """The state of a stack.

    Args:
        resources: How many resources it has, components and providers included.
        written: When it was last written (RFC 3339); empty where nothing was.
        pending: What was interrupted.
    """

    resources: int
    written: str
    pending: tuple[PendingOperation, ...]


def read_contents(pulumi: Pulumi) -> Contents:
    """Read the state; takes no lock.

    Raises:
        PalisadeError: there is no such stack, or its state cannot be read.
    """
    deployment = read_state(pulumi)["deployment"]
    return Contents(
        resources=len(deployment.get("resources", ())),
        written=deployment.get("manifest", {}).get("time", ""),
        pending=tuple(_pending(operation) for operation in deployment.get("pending_operations", ())),
    )


def read_state(pulumi: Pulumi) -> dict[str, Any]:
    """The whole state, as Pulumi exports it: what is secret in it stays encrypted.

    Raises:
        PalisadeError: there is no such stack, or its state cannot be read.
    """
    state: dict[str, Any] = json.loads(pulumi.answer("stack", "export"))
    return state


def make_stack(pulumi: Pulumi) -> bool:
    """Make the stack with the secrets provider of its configuration; one that is there stays as it is.

    Returns:
        Whether it was made.

    Raises:
        PalisadeError: it cannot be made, or nobody is logged in to where its state shall be.
    """
    try:
        read_contents(pulumi)
    except MissingError:
        pulumi.answer("stack", "init", "--no-select", "--secrets-provider", pulumi.stack.secrets_provider)
        return True
    return False


def _pending(operation: Mapping[str, Any]) -> PendingOperation:
    resource = operation["resource"]
    return PendingOperation(kind=operation["type"], urn=resource["urn"], identity=identity_of(resource))


def identity_of(resource: Mapping[str, Any]) -> str:
    """How the provider finds an object, known before it has made it; empty where only the provider can say it."""
    if not resource["type"].startswith(KUBERNETES):
        return ""
    metadata = resource.get("inputs", {}).get("metadata", {})
    parts = (metadata.get("namespace"), metadata.get("name"))
    return "/".join(part for part in parts if isinstance(part, str)) if isinstance(parts[1], str) else ""
