"""What a check expected or observed, as plain data and as text that is safe to show.

Values come from hosts. They can hold control characters, text direction marks or bytes that are not text; here they
become visible escapes, so that no reader (terminal, browser, spreadsheet, XML parser) is shown something else than
what was read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from pydantic import JsonValue


def plain(value: object) -> JsonValue:
    """The value as JSON data that is the same in every process (sets are sorted, infinities become text)."""
    data: JsonValue
    match value:
        case None | bool() | int():
            data = value
        case float():
            data = value if math.isfinite(value) else str(value)
        case bytes():
            data = value.decode("utf-8", errors="backslashreplace")
        case Mapping():
            data = {str(key): plain(member) for key, member in value.items()}
        case AbstractSet():
            data = sorted((plain(member) for member in value), key=compact)
        case list() | tuple():
            data = [plain(member) for member in value]
        case _:
            data = str(value)
    return data


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=plain)


def compact(value: object) -> str:
    """One line of JSON with sorted keys: the same line for the same value in every process."""
    try:
        return _ENCODER.encode(value)
    except TypeError:  # a mapping with keys that JSON does not have
        return _ENCODER.encode(plain(value))


def readable(value: object) -> str:
    """The value for a person: ``key: value`` lines for a mapping (indented where nested), a line per member of a list.

    Nothing (None) is empty text; an empty list, mapping or text is shown as ``[]``, ``{}`` or ``""``, because reading
    something empty is not the same as reading nothing.
    """
    return "" if value is None else "\n".join(_lines(plain(value), indent=""))


def natural(name: str) -> list[tuple[int, str]]:
    """A sort key that puts ``db-2`` before ``db-10`` and ``AC-3`` before ``AC-17``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def printable(text: str) -> str:
    r"""The text with every character that does not show itself written out; new lines and tabs stay.

    Those are control and format characters (``\x1b``, ``\u202e``), separators other than the space, and surrogates.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(
        character if character in "\n\t" or character.isprintable() else _escape(character) for character in text
    )


def shortened(text: str, limit: int) -> str:
    """The text, or its first ``limit`` characters and a note of how many are left and where they are."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[{len(text) - limit} more characters: see results.json]"


def _lines(value: JsonValue, *, indent: str) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key in sorted(value):
            member = value[key]
            if isinstance(member, dict | list) and member:
                yield f"{indent}{printable(key)}:"
                yield from _lines(member, indent=f"{indent}  ")
            else:
                yield f"{indent}{printable(key)}: {_scalar(member, indent)}"
    elif isinstance(value, list) and value:
        yield from (f"{indent}{_scalar(member, indent)}" for member in value)
    else:
        yield f"{indent}{_scalar(value, indent)}"


def _scalar(value: JsonValue, indent: str) -> str:
    text = printable(value) if isinstance(value, str) and value else printable(compact(value))
    return text.replace("\n", f"\n{indent}")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
