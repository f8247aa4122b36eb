"""Reads the OpenAPI documents that people publish: what Palisade must know of an API stands in ``x-palisade-`` keys.

Only what decides who is served what is looked at here; that a document is OpenAPI as a whole is for the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from palisade.config_values import TlsVersion, TlsVersionChoice, matches
from palisade.registry.model import (
    Api,
    ApiName,
    ApiVersion,
    LifecycleState,
    Method,
    Operation,
    Owner,
    PathTemplate,
    Upstream,
    Word,
    Words,
)
from palisade.validation import Allowed, Problem, Section, nearest, refuse, validate
from palisade.yaml_file import YamlDocument, read_yaml, read_yaml_text

EXTENSION = "x-palisade-"

OpenApiVersion = Annotated[str, matches(r"3\.1\.\d+", "a version 3.1.x of the OpenAPI Specification, in quotes")]
Title = Annotated[str, Allowed("a title", test=lambda text: bool(text.strip()))]


class _Part(Section):
    """A part of an OpenAPI document: other keys are OpenAPI's, but not those that are meant for Palisade."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _extensions_are_known(cls, value: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        found = [str(key) for key in value] if isinstance(value, dict) else []
        refuse(
            Problem(
                (key,), "This key is not known.", ", ".join(_extensions(known)) or "no such key here", _hint(key, known)
            )
            for key in found
            if key.startswith(EXTENSION) and key not in known
        )
        return value


class _Info(_Part):
    title: Title
    version: ApiVersion


class _Server(_Part):
    url: str


class _Operation(_Part):
    roles: Words = Field(alias="x-palisade-roles")
    minimum_tls: TlsVersionChoice = Field(default=TlsVersion.TLS_1_2, alias="x-palisade-minimum-tls")
    attributes: Mapping[Word, Words] = Field(default={}, alias="x-palisade-attributes")


class _PathItem(_Part):
    get: _Operation | None = None
    put: _Operation | None = None
    post: _Operation | None = None
    delete: _Operation | None = None
    options: _Operation | None = None
    head: _Operation | None = None
    patch: _Operation | None = None
    trace: _Operation | None = None

    @property
    def operations(self) -> Mapping[Method, _Operation]:
        """The operations that are described."""
        named = {method: getattr(self, method.lower()) for method in Method}
        return {method: operation for method, operation in named.items() if operation is not None}


class _Document(_Part):
    openapi: OpenApiVersion
    info: _Info
    name: ApiName = Field(alias="x-palisade-name")
    owner: Owner = Field(alias="x-palisade-owner")
    upstream: Upstream = Field(alias="x-palisade-upstream")
    servers: tuple[_Server, ...] = ()
    paths: Mapping[PathTemplate, _PathItem]

    @field_validator("servers")
    @classmethod
    def _paths_are_whole(cls, servers: tuple[_Server, ...]) -> tuple[_Server, ...]:
        refuse(
            Problem((number, "url"), f"{server.url} puts a path before every path.", "a URL without a path")
            for number, server in enumerate(servers)
            if urlsplit(server.url).path.rstrip("/")
        )
        return servers

    @field_validator("paths")
    @classmethod
    def _each_operation_once(cls, paths: Mapping[str, _PathItem]) -> Mapping[str, _PathItem]:
        if not any(item.operations for item in paths.values()):
            refuse([Problem((), "No operation is described.", "at least one path with an operation")])
        first: dict[tuple[str, str], str] = {}
        problems = []
        for path, item in paths.items():
            for method, operation in item.operations.items():
                place = Operation(method=method, path=path, roles=operation.roles).place
                if (taken := first.setdefault(place, path)) != path:
                    what = f"{method} {path} is {method} {taken} under another name."
                    problems.append(Problem((path, method.lower()), what, "each operation once"))
        refuse(problems)
        return paths


@dataclass(frozen=True)
class Description:
    """An OpenAPI document and what it says to Palisade."""

    text: str
    """The document as it was written."""
    title: str
    name: str
    version: str
    owner: str
    upstream: Upstream
    operations: tuple[Operation, ...]

    def api(self, *, state: LifecycleState, git_commit: str) -> Api:
        """The version of the API that it describes.

        Args:
            state: Where that version is in its life.
            git_commit: The commit that it was published from.
        """
        return Api(
            name=self.name,
            version=self.version,
            state=state,
            owner=self.owner,
            git_commit=git_commit,
            upstream=self.upstream,
            operations=self.operations,
        )


def read_description(path: Path) -> Description:
    """Read a document that somebody wrote, in YAML or JSON.

    Raises:
        ConfigurationError: the file cannot be read, or the document is refused, with every problem and its line.
    """
    document = read_yaml(path)
    return _description(document, path.read_text(encoding="utf-8"), str(path))


def parse_description(text: str, *, source: str) -> Description:
    """Read a document that the registry has.

    Args:
        text: The document.
        source: How errors name it.

    Raises:
        ConfigurationError: the document is refused.
    """
    return _description(read_yaml_text(text, source=source), text, source)


def _description(document: YamlDocument, text: str, source: str) -> Description:
    found = validate(_Document, document.value, file=source, at="document", lines=document.lines)
    operations = (
        Operation(
            method=method,
            path=path,
            roles=operation.roles,
            minimum_tls=operation.minimum_tls,
            attributes=operation.attributes,
        )
        for path, item in found.paths.items()
        for method, operation in item.operations.items()
    )
    return Description(
        text=text,
        title=found.info.title,
        name=found.name,
        version=found.info.version,
        owner=found.owner,
        upstream=found.upstream,
        operations=tuple(operations),
    )


def _extensions(known: list[str]) -> list[str]:
    return [key for key in known if key.startswith(EXTENSION)]


def _hint(key: str, known: list[str]) -> str:
    meant = nearest(key, _extensions(known))
    return f"did you mean {meant}?" if meant else ""
