"""What the policy looks requests up in: tables made from the registry, so that no request is compared with every API.

A path without parameters is one key. For the others, the positions of parameters in a path are a shape; few shapes have
the same number of segments, and each of them makes one key of a request's path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from palisade.config_values import TlsVersion
from palisade.errors import ConfigurationError
from palisade.registry.model import Api, Apis, LifecycleState, Operation, exactness, moment

_DOTS = {".", ".."}
PARAMETER = "{}"
"""Stands in a key for any one segment; no segment of a request can look like it."""
HEADER_FORMATS = {"x-request-id": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"}
"""What the value of a mandatory header must match (RE2): a request is found by its id in every record."""
_ANY_VALUE = r"^[!-~]"
"""Of any other mandatory header: it says something."""


def lookup(apis: Apis, headers: Iterable[str], minimum: TlsVersion) -> dict[str, Any]:
    """The data of a bundle.

    Args:
        apis: What is registered.
        headers: The names of the headers that every request must carry, in lower case.
        minimum: The lowest TLS version of the edge; no operation goes below it.

    Raises:
        ConfigurationError: an operation can never be asked for.
    """
    return {
        "registry": _registry(apis, minimum),
        "required_headers": [
            {"name": name, "pattern": HEADER_FORMATS.get(name, _ANY_VALUE)} for name in sorted(headers)
        ],
    }


def operations_in(data: Mapping[str, Any]) -> int:
    """How many operations the data of a bundle has, retired ones included."""
    registry = data.get("registry", {})
    return sum(len(keys) for table in ("exact", "templates") for keys in registry.get(table, {}).values())


def _registry(apis: Apis, minimum: TlsVersion) -> dict[str, Any]:
    exact: dict[str, dict[str, Any]] = defaultdict(dict)
    templates: dict[str, dict[str, Any]] = defaultdict(dict)
    for api in apis.apis:
        for operation in api.operations:
            method, key = operation.place
            if _DOTS & set(key.split("/")):
                raise ConfigurationError(
                    f"{operation.method} {operation.path} has a dot segment, which Envoy would resolve.",
                    where=f"{api.name} {api.version}",
                    allowed="a path without the segments . and ..",
                )
            table = templates if PARAMETER in key else exact
            table[method][key] = _operation(api, operation, minimum)
    shapes = {method: _shapes(keys) for method, keys in templates.items()}
    return {"exact": dict(exact), "templates": dict(templates), "shapes": shapes}


def _operation(api: Api, operation: Operation, minimum: TlsVersion) -> dict[str, Any]:
    lowest = max(operation.minimum_tls, minimum)
    return {
        "is_served": api.state is not LifecycleState.DISABLED,
        "route": operation.path,
        "place": operation.place[1],
        "roles": _set(operation.roles),
        "attributes": {name: _set(values) for name, values in operation.attributes.items()},
        "tls_versions": _set(f"TLSv{version.value}" for version in TlsVersion if version >= lowest),
        "response_headers": _response_headers(api),
    }


def _response_headers(api: Api) -> Mapping[str, str]:
    """Since when it is deprecated (RFC 9745); without a date there is no header: it would have no other value."""
    if api.state is not LifecycleState.DEPRECATED or api.deprecated_on is None:
        return {}
    return {"Deprecation": f"@{moment(api.deprecated_on).timestamp():.0f}"}


def _shapes(keys: Iterable[str]) -> list[list[list[dict[str, str]]]]:
    """Under each number of parts of a path: the shapes, the most exact first, each as a JSON Patch (RFC 6902)."""
    found: dict[int, set[tuple[bool, ...]]] = defaultdict(set)
    for key in keys:
        shape = exactness(key)
        found[len(shape)].add(shape)
    return [[_patch(shape) for shape in sorted(found[length])] for length in range(max(found, default=-1) + 1)]


def _patch(shape: tuple[bool, ...]) -> list[dict[str, str]]:
    return [
        {"op": "replace", "path": f"/{position}", "value": PARAMETER}
        for position, is_parameter in enumerate(shape)
        if is_parameter
    ]


def _set(values: Iterable[str]) -> dict[str, bool]:
    return dict.fromkeys(sorted(values), True)
