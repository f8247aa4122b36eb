"""From what the program says to the inputs that are kept: name, namespace, and Secrets that are secret."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from typing import Any

from kubernetes_provider.cluster import Kind
from kubernetes_provider.live import secret_paths
from kubernetes_provider.objects import target_of, without_nulls
from kubernetes_provider.paths import get
from kubernetes_provider.values import UNKNOWN, Properties

AUTONAMED = "pulumi.com/autonamed"
_RANDOM_CHARACTERS = 8
_LONGEST_MANAGER = 128


def manager_of(urn: str) -> str:
    """The name under which fields are ours: one for each stack, so that two stacks that want the same object conflict.

    Args:
        urn: ``urn:pulumi:<stack>::<project>::<types>::<name>``.
    """
    return f"pulumi-{urn.split('::')[1]}-{stack_of(urn)}"[:_LONGEST_MANAGER]


def stack_of(urn: str) -> str:
    """The name of the stack in a URN."""
    return urn.split("::", maxsplit=1)[0].removeprefix("urn:pulumi:")


def check_declaration(
    resource: str, kind: Kind, old: Properties, new: Properties, *, seed: bytes, default_namespace: str | None
) -> Properties:
    """The inputs of a resource.

    Args:
        resource: Its name in the program, from which an object without a name gets one.
        kind: Its kind.
        old: The inputs of last time; empty the first time.
        new: What the program says.
        seed: Random, and the same each time until the resource is there.
        default_namespace: For objects that name none; None for kinds that belong to no namespace.
    """
    value = without_nulls({**new.value, "apiVersion": kind.api_version, "kind": kind.kind})
    marked = set(new.secrets)
    if value.get("metadata") is not UNKNOWN:
        metadata = dict(value.get("metadata") or {})
        _name(metadata, resource, get(old.value, "metadata") or {}, seed)
        if default_namespace is None:
            metadata.pop("namespace", None)
        else:
            metadata.setdefault("namespace", default_namespace)
        value["metadata"] = metadata
        of_kind = secret_paths(target_of(kind, value))
        if of_kind:
            _encode_texts(value)
            marked |= of_kind
    return Properties(value, frozenset(marked))


def _name(metadata: dict[str, Any], resource: str, old: Mapping[str, Any], seed: bytes) -> None:
    if metadata.get("name") is not None:
        return
    if get(old, "annotations", AUTONAMED) and old.get("name"):
        metadata["name"] = old["name"]
    else:
        start = metadata.get("generateName") or f"{resource.lower()}-"
        random = seed.hex()[:_RANDOM_CHARACTERS] or secrets.token_hex(_RANDOM_CHARACTERS // 2)
        metadata["name"] = UNKNOWN if start is UNKNOWN else re.sub(r"[^a-z0-9.-]", "-", start) + random
    metadata["annotations"] = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}


def _encode_texts(value: dict[str, Any]) -> None:
    """``stringData`` as ``data``: the server never shows the first, and would not remove a key that is left out."""
    texts = value.get("stringData")
    if not isinstance(texts, Mapping):
        return
    del value["stringData"]
    encoded = {
        key: UNKNOWN if text is UNKNOWN else base64.b64encode(str(text).encode()).decode()
        for key, text in texts.items()
    }
    value["data"] = {**(value.get("data") or {}), **encoded}
