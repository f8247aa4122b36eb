"""How live objects differ from what was declared, and who changed them.

Two questions, because neither answers both: what would applying the declared object again change (a changed or removed
value), and which fields does somebody else own (a value that was added). Both are answered by the API server, and not
by the program that made the objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_OF_THE_SERVER = frozenset({"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"})


def title(one: Mapping[str, Any]) -> str:
    """An object, as people name it."""
    metadata = one["metadata"]
    namespace = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{one['kind']} {namespace}{metadata['name']}"


def changed_paths(live: Mapping[str, Any], declared: Mapping[str, Any]) -> list[str]:
    """The paths at which two objects differ, without what the server says about them.

    Args:
        live: The object as it is.
        declared: The object as it would be after it was applied again.
    """
    return sorted(_differences(_content(live), _content(declared), ""))


def foreign_fields(
    live: Mapping[str, Any], owners: Iterable[str], field_owners: Iterable[Mapping[str, Any]] = ()
) -> dict[str, list[str]]:
    """Which fields others set, by who says to have set them.

    Args:
        live: The object as it is, with its kind and ``managedFields``.
        owners: Patterns (``*``, ``?``) of the field managers that may set any.
        field_owners: Who else may set a few: the ``manager``, the ``kind`` of the object and the paths of the
            ``fields``.
    """
    allowed = tuple(owners)
    few = {(row["manager"], path) for row in field_owners if row["kind"] == live["kind"] for path in row["fields"]}
    found: dict[str, set[str]] = {}
    for entry in live["metadata"].get("managedFields") or ():
        manager = entry.get("manager", "")
        if "subresource" in entry or any(fnmatchcase(manager, pattern) for pattern in allowed):
            continue
        paths = {path for path in field_paths(entry.get("fieldsV1") or {}) if (manager, path) not in few}
        if paths:
            found.setdefault(manager, set()).update(paths)
    return {manager: sorted(paths) for manager, paths in sorted(found.items())}


def field_paths(fields: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The leaves of a set of fields (FieldsV1 of the API: ``f:name``, ``k:{keys}``, ``v:value``) as paths.

    Args:
        fields: The set, or a part of it.
        path: What leads to the part.
    """
    parts = {name: value for name, value in fields.items() if name != "."}
    if not parts and path:
        yield path
    for name, value in parts.items():
        yield from field_paths(value, _step(path, name))


def _step(path: str, name: str) -> str:
    kind, _, rest = name.partition(":")
    if kind == "f":
        return f"{path}.{rest}" if path else rest
    keys = json.loads(rest)
    words = ",".join(f"{key}={value}" for key, value in keys.items()) if isinstance(keys, dict) else str(keys)
    return f"{path}[{words}]"


def _content(one: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in one["metadata"].items() if name not in _OF_THE_SERVER}
    return {name: value for name, value in {**one, "metadata": metadata}.items() if name != "status"}


def _differences(live: Any, declared: Any, path: str) -> Iterator[str]:
    if live == declared:
        return
    if isinstance(live, Mapping) and isinstance(declared, Mapping):
        for name in sorted({*live, *declared}):
            yield from _differences(live.get(name), declared.get(name), f"{path}.{name}" if path else name)
    elif isinstance(live, list) and isinstance(declared, list) and len(live) == len(declared):
        for number, (one, other) in enumerate(zip(live, declared, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    else:
        yield path
