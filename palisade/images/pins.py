"""Writes digests into the configuration file of an environment and leaves every other character of it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from palisade.config import CONFIGURATION_KEY
from palisade.errors import ConfigurationError

IMAGES = "images"
SOURCES = "image_sources"


@dataclass(frozen=True)
class _Change:
    """One replacement in the text; from and to are the same place where something is only added."""

    start: int
    end: int
    text: str


def with_pins(text: str, pins: Mapping[str, str], file: str) -> str:
    """The text of a configuration file with these images.

    A reference that stands there is replaced, one that is missing is added below the others; comments, order and
    layout stay.

    Args:
        text: The text of the file, a sound configuration with a section ``image_sources``.
        pins: The reference of each image.
        file: How errors name the file.

    Raises:
        ConfigurationError: the section is written in a way that cannot be changed.
    """
    fleet = _value(_value(_top(text, file), "config"), CONFIGURATION_KEY)
    if not isinstance(fleet, yaml.MappingNode):
        raise ConfigurationError(f"The file has no {CONFIGURATION_KEY} under config.", where=file)
    images = _value(fleet, IMAGES)
    if images is None:
        changes = [_new_section(text, fleet, pins, file)]
    elif isinstance(images, yaml.MappingNode) and images.flow_style:
        changes = _from_flow(text, fleet, images, pins)
    elif isinstance(images, yaml.MappingNode):
        changes = _in_block(text, images, pins)
    else:
        raise ConfigurationError(
            "The section images has no entries.",
            where=f"{file}: fleet.{IMAGES}",
            allowed="images: {}, or one image a line",
        )
    for change in sorted(changes, key=lambda change: change.start, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def _in_block(text: str, images: yaml.MappingNode, pins: Mapping[str, str]) -> list[_Change]:
    there = {key.value: value for key, value in images.value}
    changes = [
        _Change(there[name].start_mark.index, there[name].end_mark.index, pins[name])
        for name in pins
        if name in there and there[name].value != pins[name]
    ]
    missing = {name: reference for name, reference in pins.items() if name not in there}
    last_key, last_value = images.value[-1]
    end = _line_end(text, last_value.end_mark.index)
    return [*changes, *([_Change(end, end, _lines(missing, last_key.start_mark.column))] if missing else [])]


def _from_flow(text: str, fleet: yaml.MappingNode, images: yaml.MappingNode, pins: Mapping[str, str]) -> list[_Change]:
    """``{}`` becomes one line for each image; a comment behind it stays where it is."""
    key = next(key for key, _ in fleet.value if key.value == IMAGES)
    entries = {each.value: value.value for each, value in images.value} | dict(pins)
    start = images.start_mark.index
    while text[start - 1] == " ":
        start -= 1
    end = _line_end(text, images.end_mark.index)
    return [
        _Change(start, images.end_mark.index, ""),
        _Change(end, end, _lines(entries, key.start_mark.column + 2)),
    ]


def _new_section(text: str, fleet: yaml.MappingNode, pins: Mapping[str, str], file: str) -> _Change:
    """Below ``image_sources``, which says where they come from."""
    for key, value in fleet.value:
        if key.value == SOURCES:
            column = key.start_mark.column
            # A block ends where the next key starts; the line after its last value is where it looks as if it ended.
            last = value.value[-1][1] if isinstance(value, yaml.MappingNode) and not value.flow_style else value
            end = _line_end(text, last.end_mark.index)
            return _Change(end, end, f"\n{' ' * column}{IMAGES}:{_lines(pins, column + 2)}")
    raise ConfigurationError(f"There is no section {SOURCES}.", where=f"{file}: fleet.{SOURCES}")


def _lines(entries: Mapping[str, str], column: int) -> str:
    return "".join(f"\n{' ' * column}{name}: {reference}" for name, reference in entries.items())


def _line_end(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end == -1 else end


def _top(text: str, file: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigurationError("The file is not YAML.", where=file) from error


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for each, value in node.value if each.value == key), None)
