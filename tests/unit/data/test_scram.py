"""Verifiers of passwords as PostgreSQL keeps them."""

from __future__ import annotations

import io
import json

import pytest

from palisade.errors import ConfigurationError
from palisade.scram import ITERATIONS, kept_or_new, main, verifier, verifiers

PASSWORD = "correct-horse-battery-staple"  # noqa: S105


def test_the_example_of_rfc_7677() -> None:
    """Salt, iterations and the keys of the exchange of RFC 7677, section 3, in the form that PostgreSQL gives them."""
    salt = b"[m\x99h\x9d\x12\x35\x8e\xec\xa0K\x14\x126\xfa\x81"
    assert verifier("pencil", salt=salt, iterations=4096) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_a_verifier_that_fits_is_kept() -> None:
    first = kept_or_new(PASSWORD, None)
    assert kept_or_new(PASSWORD, first) == first


@pytest.mark.parametrize(
    "kept",
    [
        None,
        "",
        "md5d41d8cd98f00b204e9800998ecf8427e",
        verifier("another-password-of-somebody", salt=b"0123456789abcdef"),
        verifier(PASSWORD, salt=b"0123456789abcdef", iterations=4096),
    ],
    ids=["none", "empty", "md5", "of another password", "too few iterations"],
)
def test_anything_else_is_replaced_with_a_salt_of_its_own(kept: str | None) -> None:
    made = [kept_or_new(PASSWORD, kept) for _ in range(2)]
    assert kept not in made
    assert made[0] != made[1]
    assert all(one.startswith(f"SCRAM-SHA-256${ITERATIONS}:") for one in made)


@pytest.mark.parametrize(
    "password", ["short", "nineteen-characters", "with a space inside it", "pässwort-mit-umlauten-drin"]
)
def test_what_clients_could_read_differently_is_refused_and_not_shown(password: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        verifiers({"registry": password}, {})
    shown = " ".join(text for _, text in refused.value.lines())
    assert "The password of registry cannot be used." in shown
    assert "20 or more characters of printable ASCII without spaces" in shown
    assert password not in shown


def test_the_program_reads_and_prints_json() -> None:
    kept = verifier(PASSWORD, salt=b"0123456789abcdef")
    asked = {"users": [{"name": "registry", "password": PASSWORD}], "kept": {"registry": kept}}
    answer = io.StringIO()
    main(io.StringIO(json.dumps(asked)), answer)
    assert json.loads(answer.getvalue()) == {"registry": kept}
