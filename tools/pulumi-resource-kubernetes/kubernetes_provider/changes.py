"""What differs between two versions of an object, and which differences need a new object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path as File
from typing import Any

import yaml

from kubernetes_provider.cluster import Kind
from kubernetes_provider.failures import AnswerError
from kubernetes_provider.paths import Path, names

_IMMUTABLE_FILE = File(__file__).with_name("immutable.yaml")
_ANY_KIND = "any"
_SAYS_IMMUTABLE = re.compile(
    r"immutable|(?:may|can|must) ?not be (?:changed|updated|modified|mutated)|updates? to .* (?:are|is) forbidden",
    flags=re.IGNORECASE | re.DOTALL,
)
"""How API servers and custom resource definitions say that a field cannot be changed."""


class Change(Enum):
    """What happens to a field."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


def compare(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Change]]:
    """The smallest places that differ; lists are compared position by position."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _compare_child(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from _compare_child(_at(old, index), _at(new, index), (*path, index))
    elif old != new:
        yield path, Change.UPDATE


def immutable_paths(kind: Kind, paths: Iterable[Path], *, mutable: bool) -> set[Path]:
    """Those of the changed places that the kind never lets anybody change.

    Args:
        kind: The kind of the object.
        paths: The places that differ.
        mutable: Whether the user says that the data of this kind are changed in place.
    """
    table = _table()
    fields = [*table[_ANY_KIND], *(() if mutable else table.get(f"{kind.group or 'core'}/{kind.kind}", ()))]
    return {path for path in paths if any(names(path)[: len(field)] == field for field in fields)}


def refused_paths(refusal: AnswerError, paths: Iterable[Path]) -> set[Path]:
    """Those of the changed places that the server does not change in the object that is there."""
    fields = [
        tuple(re.sub(r"\[[^\]]*\]", "", cause.field).strip(".").split("."))
        for cause in refusal.causes
        if cause.field and _SAYS_IMMUTABLE.search(cause.message)
    ]
    return {path for path in paths if any(_overlap(names(path), field) for field in fields)}


def _compare_child(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Change]]:
    if old is None and new is not None:
        yield path, Change.ADD
    elif old is not None and new is None:
        yield path, Change.DELETE
    elif old is not None:
        yield from compare(old, new, path)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


@cache
def _table() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    document = yaml.safe_load(_IMMUTABLE_FILE.read_text(encoding="utf-8"))
    return {kind: tuple(tuple(field.split(".")) for field in fields) for kind, fields in document.items()}
