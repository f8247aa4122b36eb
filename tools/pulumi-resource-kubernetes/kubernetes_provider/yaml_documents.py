"""YAML files as ConfigFile and ConfigGroup of the SDK want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from palisade.errors import PalisadeError

_DECODE = "kubernetes:yaml:decode"


class _Loader(yaml.SafeLoader):
    """YAML in which a date is a text, as JSON has no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def decode_documents(function: str, arguments: Mapping[str, Any]) -> list[Any]:
    """The objects of a text with YAML documents, lists taken apart.

    Args:
        function: The function that the program calls; there is only one.
        arguments: ``text``, and ``defaultNamespace`` for objects without one.

    Raises:
        PalisadeError: there is no such function, or the text is not YAML.
    """
    if function != _DECODE:
        raise PalisadeError(f"This provider has no function {function}.", where=function, allowed=_DECODE)
    try:
        documents = list(yaml.load_all(str(arguments.get("text", "")), _Loader))
    except yaml.YAMLError as error:
        raise PalisadeError(f"This is not YAML: {error}", where="text") from error
    found: list[Any] = []
    for document in documents:
        if isinstance(document, Mapping) and str(document.get("kind")).endswith("List") and "items" in document:
            found.extend(document["items"])
        elif document is not None:
            found.append(document)
    namespace = arguments.get("defaultNamespace")
    if namespace:
        for one in found:
            one.setdefault("metadata", {}).setdefault("namespace", namespace)
    return found
