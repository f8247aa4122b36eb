"""Property values as plain Python and back: what is secret and what is not known yet are kept beside the value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value

from kubernetes_provider.paths import Path

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
"""The key that marks a struct as a special value (Pulumi's protocol)."""
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a constant of the protocol
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWNS: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # map
    }
)
"""What a value is during a preview when nobody knows it yet, one for each type (Pulumi's protocol)."""


class Unknown:
    """The one value that is not known before the real run."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
_UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Properties:
    """The properties of a resource."""

    value: dict[str, Any]
    """JSON, with :data:`UNKNOWN` for what is not known yet."""
    secrets: frozenset[Path] = frozenset()
    """Where a secret begins."""

    @property
    def has_unknown(self) -> bool:
        """Whether something is not known yet."""
        return contains_unknown(self.value)

    def secret_texts(self) -> frozenset[str]:
        """Every text that is a secret, for leaving it out of messages."""
        texts: set[str] = set()
        for path in self.secrets:
            value: Any = self.value
            for key in path:
                value = _child(value, key)
            _collect_texts(value, texts)
        return frozenset(texts)


def decode(struct: Struct) -> Properties:
    """The properties of a message."""
    secrets: set[Path] = set()
    value = {key: _decode(item, (key,), secrets) for key, item in struct.fields.items()}
    return Properties(value, frozenset(secrets))


def encode(value: Mapping[str, Any], secrets: Iterable[Path] = ()) -> Struct:
    """A message with these properties.

    Args:
        value: JSON, with :data:`UNKNOWN`.
        secrets: Where secrets begin; paths that are not in the value do not matter.
    """
    marked = frozenset(secrets)
    return Struct(fields={key: _encode(item, (key,), marked) for key, item in value.items()})


def contains_unknown(value: Any) -> bool:
    """Whether a value is, or contains, something that is not known yet."""
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return value is UNKNOWN


def _decode(message: Value, path: Path, secrets: set[Path]) -> Any:
    match message.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if message.string_value in _UNKNOWNS else message.string_value
        case "number_value":
            number = message.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return message.bool_value
        case "list_value":
            return [_decode(item, (*path, index), secrets) for index, item in enumerate(message.list_value.values)]
        case "struct_value":
            return _decode_struct(message.struct_value, path, secrets)
        case _:
            return None


def _decode_struct(struct: Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    if _SIGNATURE not in fields:
        return {key: _decode(item, (*path, key), secrets) for key, item in fields.items()}
    signature = fields[_SIGNATURE].string_value
    if signature == _SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    raise ValueError(f"{'.'.join(map(str, path))}: assets, archives and resources are not values of Kubernetes objects")


def _encode(value: Any, path: Path, secrets: frozenset[Path]) -> Value:
    if path in secrets:
        secret = {_SIGNATURE: Value(string_value=_SECRET), "value": _encode_plain(value, path, frozenset())}
        return Value(struct_value=Struct(fields=secret))
    return _encode_plain(value, path, secrets)


def _encode_plain(value: Any, path: Path, secrets: frozenset[Path]) -> Value:
    match value:
        case None:
            message = Value(null_value=NullValue.NULL_VALUE)
        case Unknown():
            message = Value(string_value=_UNKNOWN_TEXT)
        case bool():
            message = Value(bool_value=value)
        case str():
            message = Value(string_value=value)
        case Mapping():
            fields = {key: _encode(item, (*path, key), secrets) for key, item in value.items()}
            message = Value(struct_value=Struct(fields=fields))
        case Sequence():
            items = [_encode(item, (*path, index), secrets) for index, item in enumerate(value)]
            message = Value(list_value=ListValue(values=items))
        case _:
            message = Value(number_value=value)
    return message


def _child(value: Any, key: str | int) -> Any:
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        return None


def _collect_texts(value: Any, texts: set[str]) -> None:
    if isinstance(value, Mapping):
        for item in value.values():
            _collect_texts(item, texts)
    elif isinstance(value, list):
        for item in value:
            _collect_texts(item, texts)
    elif isinstance(value, str) and value:
        texts.add(value)
