"""What the declaration of Vault needs to know about an environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any

from palisade.config import FleetConfiguration
from palisade.config_sections import Host
from palisade.config_vault import AUDIENCE
from palisade.fleet import HostGroup
from palisade.vault.access import vault_address


def trust_domain(environment: str) -> str:
    """The SPIFFE trust domain of an environment."""
    return f"palisade.{environment}"


def values_of(configuration: FleetConfiguration) -> dict[str, Any]:
    """The values that stand for ``${name}`` in ``policies/vault``.

    Args:
        configuration: The environment.

    Raises:
        ConfigurationError: the environment has no Vault.
    """
    vault = configuration.vault
    return {
        "local": configuration.is_local,
        "cluster": configuration.cluster is not None,
        "environment": configuration.environment,
        "trust_domain": trust_domain(configuration.environment),
        "address": vault_address(configuration),
        "audience": AUDIENCE,
        "mounts": vault.mounts.model_dump(),
        "roles": vault.roles.model_dump(),
        "keys": vault.keys.model_dump(),
        "cert_manager": vault.cert_manager.model_dump(),
        "certificate_hours": configuration.tls.certificate_ttl_hours,
        "workload_names": list(configuration.edge.names) if configuration.edge else [],
        "workload_networks": _networks(configuration.edge_addresses),
        "host_certificates": _host_certificates(configuration),
        "edge_certificate": edge_certificate(configuration),
        "host_groups": sorted({str(host.group) for host in configuration.hosts}),
    }


def edge_certificate(configuration: FleetConfiguration) -> dict[str, Any]:
    """What the certificate of a registry host says beside the host's own name and address, and who signs it so.

    Args:
        configuration: The environment.

    Returns:
        ``role``, ``dns_names`` and ``addresses``. With a cluster the edge is in pods, and without a section ``edge``
        nobody has named it: then the role is that of all hosts, and there is nothing beside.
    """
    roles, edge = configuration.vault.roles, configuration.edge
    own_cluster = not configuration.is_local or bool(configuration.hosts_in(HostGroup.CONTROL))
    if edge is None or (configuration.cluster is not None and own_cluster):
        return {"role": roles.hosts, "dns_names": [], "addresses": []}
    return {
        "role": roles.edge,
        "dns_names": list(edge.names),
        "addresses": [str(address) for address in configuration.edge_addresses],
    }


def _host_certificates(configuration: FleetConfiguration) -> list[dict[str, Any]]:
    """Each PKI role for hosts: which names and networks it allows."""
    hosts = tuple(host for host in configuration.hosts if host.group is not HostGroup.BASTION)
    role, edge = configuration.vault.roles.hosts, edge_certificate(configuration)
    of_hosts = _allowed(configuration, hosts, {"role": role, "dns_names": [], "addresses": []})
    if edge["role"] == role:
        return [of_hosts]
    return [of_hosts, _allowed(configuration, configuration.hosts_in(HostGroup.REGISTRY), edge)]


def _allowed(configuration: FleetConfiguration, hosts: tuple[Host, ...], beside: Mapping[str, Any]) -> dict[str, Any]:
    names = [host.name for host in hosts]
    addresses = dict.fromkeys([*(str(host.address) for host in hosts), *beside["addresses"]])
    return {
        "role": beside["role"],
        "names": [*names, *(f"{name}.{configuration.vault.domain}" for name in names), *beside["dns_names"]],
        "networks": _networks(addresses),
    }


def _networks(addresses: Iterable[IPv4Address | str]) -> list[str]:
    return [f"{address}/32" for address in addresses]
