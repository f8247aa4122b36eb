"""Makes objects whose creation was interrupted part of the state, so that a refresh finds out what became of them.

Pulumi's own option for this (``refresh --import-pending-creates``, 3.250) only marks the operation, and the refresh
drops it: an object that was made would be in nobody's state, and could not be made again because it is there.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palisade.stack.command import Pulumi
from palisade.stack.contents import CREATING, identity_of, read_state


def adopt_interrupted(pulumi: Pulumi) -> None:
    """Change the state, if a creation was interrupted; then only a refresh tells whether the object is there.

    Raises:
        PalisadeError: the state cannot be read or written.
    """
    state = read_state(pulumi)
    adopted = {**state, "deployment": with_interrupted(state["deployment"])}
    if adopted == state:
        return
    with tempfile.TemporaryDirectory(prefix="palisade-") as directory:
        file = Path(directory, "state.json")
        file.write_text(json.dumps(adopted), encoding="utf-8")
        pulumi.answer("stack", "import", "--file", str(file))


def with_interrupted(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The state with every object that may have been made, under the identity that it has then.

    What has no identity before its provider has made it (a provider itself) is made again.
    """
    changed = copy.deepcopy(dict(deployment))
    operations = changed.get("pending_operations", [])
    if not any(operation["type"] == CREATING for operation in operations):
        return changed
    resources = changed.setdefault("resources", [])
    known = {resource["urn"] for resource in resources}
    changed["pending_operations"] = [operation for operation in operations if operation["type"] != CREATING]
    for resource in (operation["resource"] for operation in operations if operation["type"] == CREATING):
        if (identity := identity_of(resource)) and resource["urn"] not in known:
            resources.append({**resource, "id": identity})
    return changed
