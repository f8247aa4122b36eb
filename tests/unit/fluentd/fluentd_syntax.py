"""Reads Fluentd's configuration file format (v1) without Fluentd and without what wrote the file.

Written from the description of the format: ``<name argument>`` opens a section, ``</name>`` closes the innermost one,
every other line is a parameter and its value, ``#`` starts a comment line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPENS = re.compile(r"<([a-zA-Z_]+)(?:\s+([^>]+?))?>")
_CLOSES = re.compile(r"</([a-zA-Z_]+)>")
_PARAMETER = re.compile(r"(@?[a-zA-Z0-9_]+)(?:\s+(.*))?")


@dataclass
class Element:
    """One section."""

    name: str
    argument: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    sections: list[Element] = field(default_factory=list)

    @property
    def type(self) -> str:
        return self.parameters.get("@type", "")

    def each(self, *names: str) -> Iterator[Element]:
        """The sections of these names, at any depth."""
        for section in self.sections:
            if section.name in names:
                yield section
            yield from section.each(*names)

    def one(self, name: str) -> Element:
        (found,) = (section for section in self.sections if section.name == name)
        return found


def parse(text: str) -> Element:
    """The whole file as one section without a name.

    Raises:
        SyntaxError: a section is closed that is not the innermost open one, or is left open; a line is none of these; a
            parameter stands twice; a value has unbalanced quotes.
    """
    open_sections = [Element("")]
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        innermost = open_sections[-1]
        if match := _CLOSES.fullmatch(stripped):
            if len(open_sections) == 1 or innermost.name != match[1]:
                raise SyntaxError(f"line {number}: </{match[1]}> closes <{innermost.name}>")
            open_sections.pop()
        elif match := _OPENS.fullmatch(stripped):
            opened = Element(match[1], match[2] or "")
            innermost.sections.append(opened)
            open_sections.append(opened)
        elif (match := _PARAMETER.fullmatch(stripped)) and not stripped.startswith("<"):
            name, value = match[1], match[2] or ""
            if name in innermost.parameters:
                raise SyntaxError(f"line {number}: {name} stands twice")
            innermost.parameters[name] = _value(value, number)
        else:
            raise SyntaxError(f"line {number}: {stripped}")
    if len(open_sections) > 1:
        raise SyntaxError(f"<{open_sections[-1].name}> is not closed")
    return open_sections[0]


def _value(value: str, number: int) -> str:
    for quote in "'\"":
        if value.startswith(quote):
            inner = value[1:-1]
            if len(value) < 2 or not value.endswith(quote) or quote in inner:
                raise SyntaxError(f"line {number}: {value}")
            return value if quote == '"' else inner
    return value
