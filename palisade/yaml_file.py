"""Reads YAML that people write: refuses what YAML would silently accept and remembers where each value stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from palisade.errors import ConfigurationError

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead to a value from the top of the document."""

_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class YamlDocument:
    """A parsed document and the line on which each of its values starts."""

    value: Any
    lines: Mapping[KeyPath, int]


def read_yaml(path: Path) -> YamlDocument:
    """Read one YAML document.

    Raises:
        ConfigurationError: the file cannot be read, is not YAML (with line and column), has a key twice in one
            section (YAML would keep the last one), or repeats a value through an alias.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"The file cannot be read: {reason}.", where=str(path)) from error
    return _Reader(str(path)).read(text)


def read_yaml_text(text: str, *, source: str) -> YamlDocument:
    """Read one YAML document that is not in a file.

    Args:
        text: The document.
        source: How errors name it.

    Raises:
        ConfigurationError: as :func:`read_yaml`.
    """
    return _Reader(source).read(text)


class _Loader(yaml.SafeLoader):
    """Refuses aliases: a value stands where it is used, and no document can grow without bounds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(problem="aliases are refused, write the value out", problem_mark=mark)
        return super().compose_node(parent, index)


@dataclass
class _Reader:
    source: str
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def read(self, text: str) -> YamlDocument:
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            value = None if node is None else self._value(loader, node, ())
        except yaml.MarkedYAMLError as error:
            reason = ", ".join(part for part in (error.context, error.problem) if part)
            raise self._refusal(f"The file is not YAML: {reason}.", error.problem_mark) from error
        except yaml.YAMLError as error:
            raise self._refusal(f"The file is not YAML: {str(error).splitlines()[0]}.", None) from error
        return YamlDocument(value=value, lines=self.lines)

    def _value(self, loader: _Loader, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(loader, item, (*path, number)) for number, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._section(loader, node, path)
        try:
            return loader.construct_object(node)
        except ValueError as error:
            raise self._refusal(f"The value {node.value} cannot be read: {error}.", node.start_mark) from error

    def _section(self, loader: _Loader, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        section: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE_TAG:
                raise self._refusal("A key is not plain text.", key_node.start_mark, allowed="one word per key")
            key = str(key_node.value)
            key_path = (*path, key)
            if key in section:
                raise self._refusal(
                    f"The key {key} stands twice in one section.",
                    key_node.start_mark,
                    allowed="each key once",
                    remedy=f"keep one of them (the first is on line {self.lines[key_path]})",
                )
            self.lines[key_path] = key_node.start_mark.line + 1
            section[key] = self._value(loader, value_node, key_path)
        return section

    def _refusal(
        self, problem: str, mark: yaml.Mark | None, *, allowed: str | None = None, remedy: str | None = None
    ) -> ConfigurationError:
        position = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return ConfigurationError(problem, where=f"{self.source}{position}", allowed=allowed, remedy=remedy)
