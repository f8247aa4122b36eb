"""Values of Pulumi's protocol: nothing is lost on the way, and what is not a value is refused."""

from __future__ import annotations

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_provider.paths import Path, write
from kubernetes_provider.values import UNKNOWN, Properties, decode, encode

SIGNATURE = "4dabf18193072939515e22adb298388d"
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(UNKNOWN)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.dictionaries(st.text(), JSON))
def test_what_is_encoded_is_decoded_again(value: dict[str, object]) -> None:
    assert decode(encode(value)) == Properties(value)


def test_secrets_keep_their_places_and_can_be_listed() -> None:
    value = {"data": {"a": "one", "b": ["two", {"c": "three"}]}, "open": "yes"}
    secrets: set[Path] = {("data", "a"), ("data", "b", 1)}
    decoded = decode(encode(value, secrets))
    assert decoded == Properties(value, frozenset(secrets))
    assert decoded.secret_texts() == {"one", "three"}


def test_a_secret_around_everything_hides_what_is_marked_inside() -> None:
    decoded = decode(encode({"data": {"a": "one"}}, {("data",), ("data", "a")}))
    assert decoded.secrets == {("data",)}


def test_outputs_are_values_that_may_be_unknown_or_secret() -> None:
    signature = Value(string_value="d0e6a833031e9bbcd3f4e8bde6ca49a4")
    unknown = Value(struct_value=Struct(fields={SIGNATURE: signature}))
    text, yes = Value(string_value="x"), Value(bool_value=True)
    secret = Value(struct_value=Struct(fields={SIGNATURE: signature, "value": text, "secret": yes}))
    decoded = decode(Struct(fields={"later": unknown, "hidden": secret}))
    assert decoded == Properties({"later": UNKNOWN, "hidden": "x"}, frozenset({("hidden",)}))
    assert decoded.has_unknown


def test_assets_are_refused_with_their_place() -> None:
    asset = Struct(fields={SIGNATURE: Value(string_value="c44067f5952c0a294b673a41bacd8c17")})
    with pytest.raises(ValueError, match=r"data\.file: assets"):
        decode(Struct(fields={"data": Value(struct_value=Struct(fields={"file": Value(struct_value=asset)}))}))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "labels", "app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("data", 'a "b"'), 'data["a \\"b\\""]'),
        (("data", "-x"), 'data["-x"]'),
    ],
)
def test_places_are_written_as_pulumi_writes_them(path: Path, text: str) -> None:
    assert write(path) == text
