"""What the stack of an environment declares in the cluster, as Pulumi has recorded it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.stack.access import to_read
from palisade.stack.model import find_stack

_TYPE = "kubernetes:"
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi marks special values (sdk/resource/sig)
"""A value in the state that is a secret, or otherwise not plain, is an object with this key."""


def declared_objects(project: Project, environment: str) -> list[dict[str, Any]]:
    """The manifests that the stack has applied; those with a secret in them are left out.

    Raises:
        PalisadeError: the stack is not there, has nothing in the cluster, or pulumi cannot say.
    """
    state = json.loads(to_read(find_stack(project, environment)).answer("stack", "export"))
    found = list(manifests_of(state))
    if not found:
        raise PalisadeError(
            f"The stack {environment} declares nothing in the cluster.",
            remedy=f"pulumi up --stack {environment}",
        )
    return found


def manifests_of(state: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The manifests in an exported state."""
    for resource in state.get("deployment", {}).get("resources") or ():
        inputs = resource.get("inputs") or {}
        is_declared = resource["type"].startswith(_TYPE) and not resource.get("external") and not resource.get("delete")
        if is_declared and {"apiVersion", "kind", "metadata"} <= inputs.keys() and _SECRET not in json.dumps(inputs):
            yield {name: value for name, value in inputs.items() if not name.startswith("__")}
