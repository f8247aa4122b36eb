"""What is declared to be inside Vault: the entries of ``policies/vault/*.yaml``, with the values of an environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, UndefinedError
from pydantic import BaseModel, ConfigDict, ValidationError

from palisade.errors import ConfigurationError
from palisade.yaml_file import read_yaml

DIRECTORY = Path("policies/vault")
POLICIES = DIRECTORY / "acl"
OWNED = "owned"
_FILES = ("mounts", "authorities", "access", "keys", "secrets", "roles", "cluster", "people")
"""The files in the order in which what they declare is made: later ones refer to earlier ones."""


class Kind(StrEnum):
    """How an entry is compared and made; each has one module in ``palisade.vault.kinds``."""

    MOUNT = "mount"
    """A secrets engine (``sys/mounts/...``) or an auth method (``sys/auth/...``)."""
    AUTHORITY = "authority"
    """The certificate and key of a PKI engine: a root, or signed by the root of another engine."""
    POLICY = "policy"
    """A policy, from the file of its name in ``policies/vault/acl``."""
    KEY = "key"
    """A Transit key; its type stays as it was made."""
    SECRET = "secret"  # noqa: S105 - a kind
    """An entry of the KV engine, whose generated values are made once."""
    SETTINGS = "settings"
    """Anything that is read and written at one path."""
    ALIAS = "alias"
    """Which login belongs to which entity."""
    CLUSTER_LOGIN = "cluster_login"
    """How the Kubernetes auth method asks the API server about a service account."""


class Condition(StrEnum):
    """Where an entry is declared."""

    LOCAL = "local"
    """In a local fleet only."""
    CLUSTER = "cluster"
    """Where the configuration has a cluster."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    path: str
    fields: dict[str, Any] = {}
    write_only: dict[str, Any] = {}
    for_each: str | list[Any] = [None]
    when: Condition | None = None


class _Owned(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    list: str
    prefix: str = ""
    when: Condition | None = None


@dataclass(frozen=True)
class Resource:
    """One thing in Vault.

    Args:
        kind: How it is compared and made.
        path: Its path in the API.
        fields: What it must say when it is read.
        write_only: What is written beside that and never given back.
    """

    kind: Kind
    path: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    write_only: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Owned:
    """A list whose entries are all declared: another one there is a difference.

    Args:
        path: The path of the list.
        prefix: Only entries whose name begins so; the others are somebody else's.
    """

    path: str
    prefix: str


@dataclass(frozen=True)
class Declared:
    """Everything that is declared for an environment, in the order in which it is made."""

    resources: tuple[Resource, ...]
    owned: tuple[Owned, ...]


def load_declared(root: Path, values: Mapping[str, Any]) -> Declared:
    """Read the declaration and put the values of an environment into it.

    Args:
        root: The checkout that holds ``policies/vault``.
        values: What stands for ``${name}``; ``local`` and ``cluster`` say which conditions hold.

    Raises:
        ConfigurationError: a file is not a list of entries, or names a value that there is not.
    """
    reader = _Reader(root, values)
    return Declared(
        resources=tuple(resource for name in _FILES for resource in reader.resources(name)),
        owned=tuple(reader.owned()),
    )


class _Reader:
    def __init__(self, root: Path, values: Mapping[str, Any]) -> None:
        self._root = root
        self._values = dict(values)
        # Vault's own templates are written {{...}}.
        self._environment = Environment(
            variable_start_string="${",
            variable_end_string="}",
            block_start_string="<%",
            block_end_string="%>",
            comment_start_string="<#",
            comment_end_string="#>",
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            autoescape=False,  # noqa: S701 - paths and policies, not HTML
        )

    def resources(self, name: str) -> Iterator[Resource]:
        path = self._root / DIRECTORY / f"{name}.yaml"
        for number, raw in enumerate(_list(path)):
            where = f"{path}: [{number}]"
            entry = _parsed(_Entry, raw, where)
            if entry.when is not None and not self._values[entry.when]:
                continue
            try:
                each = entry.for_each
                for item in self._filled(each, {}) if isinstance(each, str) else each:
                    yield self._resource(entry, {"each": item})
            except UndefinedError as error:
                raise ConfigurationError(f"A value is not known: {error.message}.", where=where) from error

    def owned(self) -> Iterator[Owned]:
        path = self._root / DIRECTORY / f"{OWNED}.yaml"
        for number, raw in enumerate(_list(path)):
            entry = _parsed(_Owned, raw, f"{path}: [{number}]")
            if entry.when is not None and not self._values[entry.when]:
                continue
            yield Owned(self._filled(entry.list, {}), entry.prefix)

    def _resource(self, entry: _Entry, own: Mapping[str, Any]) -> Resource:
        path = self._filled(entry.path, own)
        fields = self._filled(entry.fields, own)
        if entry.kind is Kind.POLICY:
            file = fields.pop("file", path.rpartition("/")[2].removeprefix("palisade-"))
            text = (self._root / POLICIES / f"{file}.hcl").read_text(encoding="utf-8")
            fields["policy"] = self._environment.from_string(text).render({**self._values, **own})
        return Resource(entry.kind, path, fields, self._filled(entry.write_only, own))

    def _filled(self, value: Any, own: Mapping[str, Any]) -> Any:
        """The value with every ``${...}`` replaced; a text that is nothing else becomes the value itself."""
        if isinstance(value, dict):
            return {key: self._filled(one, own) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled(one, own) for one in value]
        if not isinstance(value, str):
            return value
        known = {**self._values, **own}
        if value.startswith("${") and value.endswith("}") and value.count("${") == 1:
            found = self._environment.compile_expression(value[2:-1].strip(), undefined_to_none=False)(known)
            if isinstance(found, StrictUndefined):
                str(found)  # raises, with the name
            return list(found) if isinstance(found, tuple) else found
        return self._environment.from_string(value).render(known)


def _list(path: Path) -> list[object]:
    entries = read_yaml(path).value
    if not isinstance(entries, list):
        raise ConfigurationError("The file does not hold a list.", where=str(path))
    return entries


def _parsed(model: Any, raw: object, where: str) -> Any:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where=f"{where}.{path}") from error
