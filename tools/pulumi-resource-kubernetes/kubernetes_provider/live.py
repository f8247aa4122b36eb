"""What the state keeps of a live object, and what in it differs from what was declared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from kubernetes_provider.objects import Target
from kubernetes_provider.paths import Path, get

MANAGER_KEY: Final = "__fieldManager"
VERSION_KEY: Final = "__initialApiVersion"
INTERNAL_KEYS: Final = frozenset({MANAGER_KEY, VERSION_KEY, "__inputs"})
"""What the state knows beside the object; the names are those of the official provider."""

_SERVER_METADATA = frozenset(
    {"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields"}
    | {"resourceVersion", "selfLink", "uid"}
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SECRET_FIELDS = ("data", "stringData")
_MERGE_KEYS = ("name", "containerPort", "port", "mountPath", "key", "type", "ip", "topologyKey", "uid")
"""What tells the items of a list apart, in this order (the list-map-keys of Kubernetes' own kinds)."""
_COMPONENTS = re.compile(r"kube-.*|kubelet")
"""Managers that are Kubernetes itself; what they fill in is not drift."""
_INJECTED = frozenset({"f:caBundle"})
"""Fields that controllers fill in by design."""
_NOT_TRACKED = "before-first-apply"
"""How Kubernetes itself names whoever set fields before anybody was tracked."""
_MISSING: Final[Any] = object()


def state_of(live: Mapping[str, Any], manager: str, first_version: str) -> dict[str, Any]:
    """The outputs of a resource: the live object without the server's bookkeeping of fields."""
    metadata = {key: value for key, value in live.get("metadata", {}).items() if key != "managedFields"}
    return {**live, "metadata": metadata, MANAGER_KEY: manager, VERSION_KEY: first_version}


def secret_paths(target: Target) -> frozenset[Path]:
    """What is secret in every object of a kind, whatever the program says."""
    if target.kind.kind != "Secret" or target.kind.group:
        return frozenset()
    # kubectl apply keeps a copy of the whole object in an annotation.
    return frozenset({*((field,) for field in _SECRET_FIELDS), ("metadata", "annotations", _LAST_APPLIED)})


def declared_of(live: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of an object that nobody has declared yet: all but what only the server writes."""
    declared = {key: value for key, value in live.items() if key != "status"}
    metadata = {key: value for key, value in live.get("metadata", {}).items() if key not in _SERVER_METADATA}
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != _LAST_APPLIED}
    return {**declared, "metadata": {**metadata, **({"annotations": annotations} if annotations else {})}}


def refreshed_inputs(
    inputs: Mapping[str, Any], state: Mapping[str, Any], live: Mapping[str, Any], manager: str
) -> dict[str, Any]:
    """The inputs as they would be if somebody had declared the object as it is now.

    Args:
        inputs: What was declared. Its notation stays where nothing has changed (``1000m`` is ``1`` in the answer).
        state: The outputs of then.
        live: The object of now.
        manager: Our own name as a field manager.
    """
    result: dict[str, Any] = _project(inputs, state, live)
    entries = live.get("metadata", {}).get("managedFields", [])
    for entry in entries:
        if entry.get("subresource") or entry["manager"] == manager or _COMPONENTS.fullmatch(entry["manager"]):
            continue
        result = _add_foreign(result, live, _declarable(entry.get("fieldsV1", {})))
    return result if entries else _add_foreign(result, live, _untracked(state, live))


def is_managed_by(live: Mapping[str, Any], manager: str) -> bool:
    """Whether an object has fields of a manager."""
    return any(entry["manager"] == manager for entry in live.get("metadata", {}).get("managedFields", []))


def same_content(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two answers of the server show the same object, whoever owns its fields."""
    return {**declared_of(one), "status": None} == {**declared_of(other), "status": None}


def foreign_owners(live: Mapping[str, Any], manager: str, path: Path) -> list[str]:
    """Who else owns the field at a place; positions in lists are taken from the live object."""
    entries = live.get("metadata", {}).get("managedFields", [])
    owners = [] if entries else [_NOT_TRACKED]
    for entry in entries:
        is_ours = entry["manager"] == manager and entry.get("operation") == "Apply"
        if not is_ours and not entry.get("subresource") and _owns(entry.get("fieldsV1", {}), live, path):
            owners.append(entry["manager"])
    return owners


def _project(inputs: Any, state: Any, live: Any) -> Any:
    if live == state:
        return inputs
    if isinstance(inputs, Mapping) and isinstance(live, Mapping):
        return {
            key: _project(value, get(state, key), live[key])
            for key, value in inputs.items()
            if live.get(key) is not None
        }
    if isinstance(inputs, list) and isinstance(live, list):
        return _project_list(inputs, state if isinstance(state, list) else [], live)
    return live


def _project_list(inputs: list[Any], state: list[Any], live: list[Any]) -> list[Any]:
    key = _merge_key(inputs, live)
    if key is None:
        return [
            _project(inputs[index], get(state, index), item) if index < len(inputs) else item
            for index, item in enumerate(live)
        ]
    of_live = {item[key]: item for item in live}
    of_state = {item.get(key): item for item in state if isinstance(item, Mapping)}
    return [_project(item, of_state.get(item[key]), of_live[item[key]]) for item in inputs if item[key] in of_live]


def _merge_key(*lists: list[Any]) -> str | None:
    for key in _MERGE_KEYS:
        if all(isinstance(item, Mapping) and key in item for items in lists for item in items) and all(
            len({str(item[key]) for item in items}) == len(items) for items in lists
        ):
            return key
    return None


def _declarable(fields: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {key: value for key, value in fields.items() if key not in {"f:status", "f:metadata"}}
    labels = fields.get("f:metadata", {}).get("f:labels")
    return {**chosen, **({"f:metadata": {"f:labels": labels}} if labels else {})}


def _untracked(state: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """New fields of an object of which nobody owns anything: the server tracks owners only from the first one on."""
    known, labels = get(state, "metadata", "labels") or {}, get(live, "metadata", "labels") or {}
    added: dict[str, Any] = {f"f:{key}": {} for key in labels if key not in known}
    fields: dict[str, Any] = {f"f:{key}": {} for key in live if key not in state and key not in {"metadata", "status"}}
    return {**fields, **({"f:metadata": {"f:labels": added}} if added else {})}


def _add_foreign(inputs: Any, live: Any, fields: Mapping[str, Any]) -> Any:
    """The inputs with the fields that another manager owns and that nobody has declared."""
    if isinstance(live, Mapping) and (inputs is _MISSING or isinstance(inputs, Mapping)):
        if inputs is _MISSING and not any(key.startswith("f:") for key in fields):
            return live
        result: dict[str, Any] = {} if inputs is _MISSING else dict(inputs)
        for key, below in fields.items():
            name = key.removeprefix("f:")
            if key.startswith("f:") and key not in _INJECTED and live.get(name) is not None:
                result[name] = _add_foreign(result.get(name, _MISSING), live[name], below)
        return result
    if isinstance(live, list) and (inputs is _MISSING or isinstance(inputs, list)):
        return _add_foreign_items([] if inputs is _MISSING else list(inputs), live, fields)
    return live if inputs is _MISSING else inputs


def _add_foreign_items(inputs: list[Any], live: list[Any], fields: Mapping[str, Any]) -> list[Any]:
    if not any(key.startswith(("k:", "v:")) for key in fields):
        return inputs or live
    for key, below in fields.items():
        if key.startswith("v:"):
            value = json.loads(key[2:])
            if value in live and value not in inputs:
                inputs.append(value)
        elif key.startswith("k:"):
            wanted = json.loads(key[2:])
            item = _find(live, wanted)
            known = _find(inputs, wanted)
            if item is not _MISSING and known is _MISSING and "." in below:
                inputs.append(_add_foreign(dict(wanted), item, below))
            elif item is not _MISSING and known is not _MISSING:
                inputs[inputs.index(known)] = _add_foreign(known, item, below)
    return inputs


def _find(items: list[Any], wanted: Mapping[str, Any]) -> Any:
    for item in items:
        # A default that the declaration leaves out (protocol: TCP) must not hide that it is the same item.
        if isinstance(item, Mapping) and all(item.get(key, value) == value for key, value in wanted.items()):
            return item
    return _MISSING


def _owns(fields: Mapping[str, Any], live: Any, path: Path) -> bool:
    if not path:
        return True
    key, *rest = path
    if isinstance(key, str):
        below = fields.get(f"f:{key}")
        return below is not None and (not below or _owns(below, get(live, key), tuple(rest)))
    item = get(live, key)
    for name, below in fields.items():
        if name.startswith("k:") and _find([item], json.loads(name[2:])) is not _MISSING:
            return _owns(below, item, tuple(rest))
        if name.startswith("v:") and json.loads(name[2:]) == item:
            return True
    return False
