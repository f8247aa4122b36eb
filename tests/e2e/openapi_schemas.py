"""JSON schemas for kubeconform, from the API server that will get the manifests: no download, no other version."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REFERENCE = "#/definitions/"
LOCATION = "{{ .Group }}/{{ .ResourceAPIVersion }}/{{ .ResourceKind }}.json"
"""Where kubeconform looks, below the directory (the names are its own; the group of the core API is its version)."""
_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"


def write_schemas(openapi: dict[str, Any], directory: Path) -> int:
    """Write one strict schema for each kind of ``GET /openapi/v2``.

    Returns:
        How many there are.
    """
    definitions = {name: _strict(schema) for name, schema in openapi["definitions"].items()}
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": ["integer", "string"]}
    written = 0
    for name, schema in definitions.items():
        for kind in schema.get(_GROUP_VERSION_KIND, ()):
            used = {each: definitions[each] for each in sorted(_reached(name, definitions))}
            path = directory / (kind["group"] or kind["version"]) / kind["version"] / f"{kind['kind'].lower()}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"$ref": f"{REFERENCE}{name}", "definitions": used}), encoding="utf-8")
            written += 1
    return written


def _strict(schema: Any) -> Any:
    """The same schema, in which an object has no field but its own."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _strict(value) for key, value in schema.items()}
    is_closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    return {**found, "additionalProperties": False} if is_closed and "additionalProperties" not in schema else found


def _reached(name: str, definitions: dict[str, Any]) -> set[str]:
    reached, waiting = set(), [name]
    while waiting:
        here = waiting.pop()
        if here not in reached:
            reached.add(here)
            waiting.extend(_references(definitions[here]))
    return reached


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference.removeprefix(REFERENCE)
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
