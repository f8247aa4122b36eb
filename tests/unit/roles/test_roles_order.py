"""What a role writes, says or goes through has one order: a set of Ansible's has another one in every process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXPRESSION = re.compile(r"\{\{.*?\}\}", flags=re.DOTALL)
OF_A_SET = re.compile(r"\|\s*(?:difference|intersect|symmetric_difference|union)\(")
ORDERED = re.compile(r"\|\s*sort\b")


def unordered(text: str) -> list[str]:
    """The expressions whose value has no order of its own; conditions have no value that anybody sees."""
    return [found for found in EXPRESSION.findall(text) if OF_A_SET.search(found) and not ORDERED.search(found)]


def files() -> Iterator[Path]:
    for folder in ("roles", "templates", "playbooks"):
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in {".j2", ".yml"})


def test_what_is_shown_or_gone_through_is_sorted() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in files()}
    assert sum(len(OF_A_SET.findall(text)) for text in texts.values()) > 10, "the filters were not found"
    assert {str(path.relative_to(ROOT)): found for path, text in texts.items() if (found := unordered(text))} == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("{{ needed | difference(given) | join(', ') }}", 1),
        ("{{ needed\n | difference(given)\n | sort | join(', ') }}", 0),
        ("{{ one | union(other) }} and {{ one | union(other) | sort }}", 1),
        ("needed | difference(given) | length == 0", 0),
    ],
)
def test_an_unordered_expression_is_found(text: str, count: int) -> None:
    assert len(unordered(text)) == count
