"""What the declaration of Vault needs to know about an environment."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import Any

from palisade.config import FleetConfiguration
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
    hosts = [host for host in configuration.hosts if host.group is not HostGroup.BASTION]
    names = [host.name for host in hosts]
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
        "host_names": [*names, *(f"{name}.{vault.domain}" for name in names)],
        "host_networks": _networks(host.address for host in hosts),
        "host_groups": sorted({str(host.group) for host in configuration.hosts}),
    }


def _networks(addresses: Iterable[IPv4Address]) -> list[str]:
    return [f"{address}/32" for address in addresses]
