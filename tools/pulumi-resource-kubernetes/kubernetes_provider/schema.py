"""Checks a declaration against the server's OpenAPI schema, where a dry run is not possible yet.

Only what the server itself would refuse at once: unknown fields, wrong types, missing fields, values that are not in
an enumeration. Everything else is found by the server in the real run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes_provider.cluster import Cluster, Kind
from kubernetes_provider.paths import Path, write
from kubernetes_provider.values import UNKNOWN
from palisade.errors import PalisadeError

_GROUP_VERSION_KIND = "x-kubernetes-group-version-kind"
_KEEPS_UNKNOWN = "x-kubernetes-preserve-unknown-fields"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_OBJECT_FIELDS = frozenset({"apiVersion", "kind", "metadata"})


@dataclass(frozen=True)
class Definition:
    """A kind that a CustomResourceDefinition of this run brings."""

    schema: Mapping[str, Any]
    namespaced: bool


class Schemas:
    """The schemas of one cluster, each read once, and those that this run is going to add."""

    def __init__(self) -> None:
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._planned: dict[Kind, Definition] = {}
        self._lock = threading.Lock()

    def plan(self, declared: Mapping[str, Any]) -> None:
        """Remember the kinds of a CustomResourceDefinition that this run makes."""
        spec = declared.get("spec")
        if not isinstance(spec, Mapping) or spec.get("group") is UNKNOWN:
            return
        for version in spec.get("versions") or []:
            kind = Kind(f"{spec.get('group')}/{version.get('name')}", (spec.get("names") or {}).get("kind", ""))
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            self._planned[kind] = Definition(schema, spec.get("scope") == "Namespaced")

    def planned(self, kind: Kind) -> Definition | None:
        """The definition of a kind that this run adds."""
        return self._planned.get(kind)

    def check(self, cluster: Cluster, kind: Kind, declared: Mapping[str, Any], where: str) -> None:
        """Check a declaration; a kind without a schema is not checked.

        Raises:
            PalisadeError: the server would refuse it.
            UnreachableError: nobody answers.
        """
        definition = self._planned.get(kind)
        if definition is not None:
            content = {key: value for key, value in declared.items() if key not in _OBJECT_FIELDS}
            findings = list(_findings(content, definition.schema, {}, ()))
        else:
            schemas = self._of_version(cluster, kind)
            schema = next((one for one in schemas.values() if _is_of(one, kind)), None)
            findings = list(_findings(declared, schema, schemas, ())) if schema else []
        if findings:
            listing = "\n".join(f"  {finding}" for finding in findings)
            raise PalisadeError(f"The declaration does not fit the schema of {kind}:\n{listing}", where=where)

    def _of_version(self, cluster: Cluster, kind: Kind) -> Mapping[str, Any]:
        with self._lock:
            if kind.api_version not in self._documents:
                document = cluster.find(f"/openapi/v3{kind.prefix}") or {}
                self._documents[kind.api_version] = (document.get("components") or {}).get("schemas") or {}
            return self._documents[kind.api_version]


def _is_of(schema: Mapping[str, Any], kind: Kind) -> bool:
    wanted = {"group": kind.group, "version": kind.api_version.rpartition("/")[2], "kind": kind.kind}
    return wanted in schema.get(_GROUP_VERSION_KIND, [])


def _findings(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], path: Path) -> Iterator[str]:
    schema = _resolved(schema, schemas)
    if value is None or value is UNKNOWN or not schema:
        return
    if schema.get(_INT_OR_STRING) or "oneOf" in schema or "anyOf" in schema:
        return
    kind = str(schema.get("type"))
    if kind in _TYPES and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{write(path)}: {kind} is wanted"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{write(path)}: not one of {', '.join(map(str, schema['enum']))}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _findings(item, schema.get("items") or {}, schemas, (*path, index))
    elif isinstance(value, Mapping):
        yield from _findings_of_object(value, schema, schemas, path)


def _findings_of_object(
    value: Mapping[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any], path: Path
) -> Iterator[str]:
    known = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for key, item in value.items():
        if key in known:
            yield from _findings(item, known[key], schemas, (*path, key))
        elif isinstance(others, Mapping):
            yield from _findings(item, others, schemas, (*path, key))
        elif known and not others and not schema.get(_KEEPS_UNKNOWN):
            yield f"{write((*path, key))}: there is no such field"
    for key in schema.get("required") or []:
        # An empty default in the schema says that the server fills it in.
        if value.get(key) is None and "default" not in known.get(key, {}):
            yield f"{write((*path, key))}: this field is missing"


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind references; Kubernetes writes them as ``allOf`` with one item beside a default."""
    while True:
        if "$ref" in schema:
            schema = schemas.get(schema["$ref"].rpartition("/")[2], {})
        elif len(schema.get("allOf", ())) == 1 and "properties" not in schema:
            schema = schema["allOf"][0]
        else:
            return schema
