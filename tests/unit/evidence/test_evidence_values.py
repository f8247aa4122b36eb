"""Values from hosts become plain data and text that hides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palisade.evidence.values import compact, natural, plain, printable, readable, shortened
from palisade.results import Status


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (4096, 4096),
        (0.5, 0.5),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (b"abc\xff", "abc\\xff"),
        ({"b", "a"}, ["a", "b"]),
        (frozenset({2, 1}), [1, 2]),
        (("x", {"y"}), ["x", ["y"]]),
        ({1: {"k"}}, {"1": ["k"]}),
        (Path("/etc/passwd"), "/etc/passwd"),
        (Status.FAIL, "fail"),
    ],
)
def test_plain_data(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("0", "0"),
        (0, "0"),
        (False, "false"),
        ({"b": 1, "a": "x"}, "a: x\nb: 1"),
        ({"chains": ["input", "output"]}, "chains:\n  input\n  output"),
        (["aes", "chacha"], "aes\nchacha"),
        ([], "[]"),
        ({}, "{}"),
        ("", '""'),
        ("line\nline\ttab", "line\nline\ttab"),
        ({"settings": {"b": [], "a": ["root", "toor"]}}, "settings:\n  a:\n    root\n    toor\n  b: []"),
        ({"rules": {"text": "one\ntwo"}}, "rules:\n  text: one\n  two"),
        ([{"b": 1, "a": [2]}], '{"a": [2], "b": 1}'),
    ],
)
def test_readable_text(value: object, text: str) -> None:
    assert readable(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("größer", "größer"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("safe\u202egnp.exe", "safe\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("carriage\rreturn", "carriage\\rreturn"),
        ("no\xa0break", "no\\xa0break"),
        ("not text \udc80", "not text \\udc80"),
        ("nul\x00", "nul\\x00"),
    ],
)
def test_shows_characters_that_hide(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_whatever_the_text_nothing_in_it_is_hidden(text: str) -> None:
    shown = printable(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert printable(shown) == shown
    shown.encode("utf-8")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=8,
)


@given(values)
def test_plain_data_is_json_and_stays_the_same(value: object) -> None:
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == plain(value)
    assert plain(plain(value)) == plain(value)


@given(st.dictionaries(st.tuples(st.integers(), st.text(max_size=2)), st.integers(), max_size=3))
def test_compares_mappings_with_any_keys(value: dict[tuple[int, str], int]) -> None:
    assert compact(value) == compact(dict(reversed(value.items())))


def test_the_members_of_a_set_are_sorted() -> None:
    assert compact(set("hgfedcba")) == '["a", "b", "c", "d", "e", "f", "g", "h"]'
    assert readable(set("hgfedcba")) == "a\nb\nc\nd\ne\nf\ng\nh"


def test_says_how_much_was_left_out_and_where_it_is() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdef", 4) == "abcd\n[2 more characters: see results.json]"


def test_numbers_in_names_count() -> None:
    assert sorted(["db-10", "db-2", "bastion-1"], key=natural) == ["bastion-1", "db-2", "db-10"]
    assert sorted(["AC-17", "AC-3", "AC-6(1)", "AC-6"], key=natural) == ["AC-3", "AC-6", "AC-6(1)", "AC-17"]
    assert sorted(["1.2.10", "1.2.9", "1.10.1"], key=natural) == ["1.2.9", "1.2.10", "1.10.1"]
