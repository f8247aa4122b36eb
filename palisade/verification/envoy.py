"""What a configuration of Envoy means at the edge: the same facts from its file and from what the running one holds.

A file leaves defaults out and a running Envoy writes some of them down, so neither is compared as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MANAGER = "envoy.filters.network.http_connection_manager"
_HTTP = "envoy.filters.http."
_BOOTSTRAP = ".BootstrapConfigDump"
_ROUTES = ".RoutesConfigDump"
_UNENCRYPTED = "none"
_NO_PORT = 0


def running_bootstrap(dump: Mapping[str, Any]) -> dict[str, Any]:
    """What a running Envoy was started with, from the answer of its admin interface to ``/config_dump``."""
    found: dict[str, Any] = _part(dump, _BOOTSTRAP)["bootstrap"]
    return found


def running_routes(dump: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The routes that a running Envoy has read from a file, in their order.

    Args:
        dump: The answer to ``/config_dump``.
        name: Of the route configuration.
    """
    configurations = (one["route_config"] for one in _part(dump, _ROUTES).get("dynamic_route_configs", ()))
    return routes_of({"resources": [one for one in configurations if one["name"] == name]})


def routes_of(file: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The routes in a file with route configurations, in their order: name, method, and what they lead to."""
    hosts = [host for one in file.get("resources") or () for host in one["virtual_hosts"]]
    return [_route(one) for host in hosts for one in host["routes"]]


def facts(bootstrap: Mapping[str, Any]) -> dict[str, Any]:
    """What a bootstrap means, by names such as ``apis.tls_minimum``.

    ``admin`` is where the admin interface listens; ``<listener>.address`` where a listener does. A listener for clients
    also has its versions and cipher suites of TLS, its HTTP filters in their order and what these are told.
    """
    found: dict[str, Any] = {"admin": _address(bootstrap.get("admin", {}).get("address", {}))}
    for listener in bootstrap["static_resources"]["listeners"]:
        found.update({f"{listener['name']}.{key}": value for key, value in _listener(listener).items()})
    return found


def _part(dump: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in dump["configs"] if one["@type"].endswith(kind))
    return found


def _route(route: Mapping[str, Any]) -> dict[str, Any]:
    methods = [one["string_match"]["exact"] for one in route["match"].get("headers", ()) if one["name"] == ":method"]
    direct = route.get("direct_response")
    leads_to = direct["status"] if direct else route.get("route", {}).get("cluster", "")
    return {"name": route.get("name", ""), "method": methods[0] if methods else "any", "leads_to": leads_to}


def _listener(listener: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"address": _address(listener["address"])}
    for chain in listener["filter_chains"]:
        found.update(_tls(chain.get("transport_socket")))
        for network_filter in chain["filters"]:
            if network_filter["name"] == _MANAGER:
                found.update(_manager(network_filter["typed_config"]))
    return found


def _tls(socket: Mapping[str, Any] | None) -> dict[str, Any]:
    if socket is None:
        return {"tls_minimum": _UNENCRYPTED}
    common = socket["typed_config"]["common_tls_context"]
    parameters = common.get("tls_params", {})
    return {
        "tls_minimum": parameters.get("tls_minimum_protocol_version", "TLS_AUTO"),
        "tls_maximum": parameters.get("tls_maximum_protocol_version", "TLS_AUTO"),
        "cipher_suites": sorted(parameters.get("cipher_suites", ())),
        "certificates": [one["name"] for one in common.get("tls_certificate_sds_secret_configs", ())],
    }


def _manager(manager: Mapping[str, Any]) -> dict[str, Any]:
    filters = {one["name"]: one.get("typed_config", {}) for one in manager["http_filters"]}
    return {
        "filters": [one["name"].removeprefix(_HTTP) for one in manager["http_filters"]],
        "takes_connection_address": bool(manager.get("use_remote_address", False))
        and not manager.get("xff_num_trusted_hops", 0),
        "record": dict(_record(manager)),
        **_header_rules(filters.get(f"{_HTTP}header_mutation", {})),
        **_token_rules(filters.get(f"{_HTTP}jwt_authn", {})),
        **_decision_rules(filters.get(f"{_HTTP}ext_authz")),
    }


def _header_rules(settings: Mapping[str, Any]) -> dict[str, Any]:
    mutations = settings.get("mutations", {}).get("request_mutations", ())
    removed = [one["remove_on_match"]["key_matcher"] for one in mutations if "remove_on_match" in one]
    written = [one["append"] for one in mutations if "append" in one]
    return {
        "removed_headers": [one.get("prefix", "") for one in removed],
        "own_headers": {
            one["header"]["key"]: one["header"]["value"]
            for one in written
            if one.get("append_action") == "OVERWRITE_IF_EXISTS_OR_ADD"
        },
    }


def _token_rules(settings: Mapping[str, Any]) -> dict[str, Any]:
    providers = settings.get("providers", {}).values()
    return {
        "token_rules": settings.get("rules", []),
        "tokens_expire": bool(providers) and all(one.get("require_expiration", False) for one in providers),
        "tokens_for": sorted(name for one in providers for name in one.get("audiences", ())),
        "tokens_in": sorted(place["name"] for one in providers for place in one.get("from_headers", ())),
        "tokens_forwarded": any(one.get("forward", False) for one in providers),
    }


def _decision_rules(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    if settings is None:
        return {}
    return {
        "open_without_decision": bool(settings.get("failure_mode_allow", False)),
        "status_without_decision": settings.get("status_on_error", {}).get("code", "Forbidden"),
        "decision_seconds": float(settings["grpc_service"].get("timeout", "0").removesuffix("s")),
        "asks_with_body": "with_request_body" in settings,
    }


def _record(manager: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field of the access record with the template of its value; fields within fields by ``outer.inner``."""
    for log in manager.get("access_log", ()):
        yield from _flat(log["typed_config"].get("log_format", {}).get("json_format", {}), "")


def _flat(fields: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{place}{name}.")
        elif value is not None:
            yield f"{place}{name}", str(value)


def _address(address: Mapping[str, Any]) -> str:
    if "pipe" in address:
        return str(address["pipe"]["path"])
    socket = address.get("socket_address", {})
    return f"{socket['address']}:{socket.get('port_value', _NO_PORT)}" if socket else "nowhere"
