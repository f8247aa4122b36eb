"""What Vault gives back, against what is declared."""

from __future__ import annotations

from typing import Any

import pytest

from palisade.vault.comparison import differing, same, seconds

SAME = (
    (86_400, "24h"),
    ("24h", "24h"),
    (90_000, "25h"),
    (0, "0s"),
    (None, "0s"),
    ("0s", "0s"),
    (5_400, "1h30m"),
    (["b", "a"], ["a", "b"]),
    ("a,b", ["b", "a"]),
    (None, []),
    ("", []),
    (True, True),
    ("text\n", "text"),
    (None, ""),
    ({"a": "b"}, {"a": "b"}),
    (384, 384),
)
DIFFERENT = (
    (86_400, "25h"),
    (None, "24h"),
    (["a"], ["a", "b"]),
    (["a", "b", "c"], ["a", "b"]),
    (None, ["a"]),
    ("true", True),
    (1, True),
    (None, False),
    (None, True),
    ("Text", "text"),
    ({"a": "b", "c": "d"}, {"a": "b"}),
    (None, {"a": "b"}),
    (256, 384),
)


@pytest.mark.parametrize(("read", "declared"), SAME, ids=str)
def test_it_means_the_same(read: Any, declared: Any) -> None:
    assert same(read, declared)


@pytest.mark.parametrize(("read", "declared"), DIFFERENT, ids=str)
def test_it_means_something_else(read: Any, declared: Any) -> None:
    assert not same(read, declared)


def test_only_what_differs_is_shown() -> None:
    assert differing({"ttl": 60, "name": "x", "other": 1}, {"ttl": "2m", "name": "x", "new": "y"}) == (
        {"ttl": 60},
        {"ttl": "2m", "new": "y"},
    )


@pytest.mark.parametrize(("text", "expected"), [("1d", 86_400), ("h", None), ("", None), (True, None), ("5", None)])
def test_a_duration(text: Any, expected: int | None) -> None:
    assert seconds(text) == expected
