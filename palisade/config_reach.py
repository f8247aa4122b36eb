"""At which addresses and on which port pods reach what stands outside the cluster: Vault, and the issuer of tokens.

Network Policies know addresses, not names: what a URL names has to be said as networks too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from palisade.config_access import Tokens, host_of, port_of
from palisade.config_sections import Host
from palisade.config_vault import PORT, Vault
from palisade.fleet import HostGroup
from palisade.validation import Problem


@dataclass(frozen=True)
class Reach:
    """Where somebody is reached.

    Args:
        networks: The addresses; none where nobody is there, or nothing says where.
        port: The TCP port.
    """

    networks: tuple[IPv4Network, ...]
    port: int


def reach_of_vault(vault: Vault, hosts: Iterable[Host]) -> Reach:
    """Where Vault is: the networks that are named, the address in its URL, else the hosts of the group vault."""
    port = PORT if vault.address is None else port_of(vault.address)
    return Reach(vault.networks or _address_in(vault.address) or _vault_hosts(hosts), port)


def reach_of_issuer(tokens: Tokens | None, hosts: Iterable[Host]) -> Reach:
    """Where the keys of the issuer are: as :func:`reach_of_vault`; without ``tokens`` it is the Vault of the fleet."""
    if tokens is None:
        return Reach(_vault_hosts(hosts), PORT)
    return Reach(tokens.networks or _address_in(tokens.jwks_uri), port_of(tokens.jwks_uri))


def unreachable(reach: Reach, url: str | None, who: str, others: str) -> Iterator[Problem]:
    """What is wrong with a URL whose name nothing turns into networks.

    Args:
        reach: Where it is.
        url: The URL; None where it is not configured.
        who: Who could not connect there.
        others: What may stand in the configuration instead.
    """
    if url is not None and not reach.networks:
        what = f"{host_of(url)} is a name, and Network Policies know addresses: {who} could not connect there."
        allowed = f"the networks behind that name, such as [10.60.0.0/24]; {others}"
        yield Problem(("networks",), what, allowed, "ask whoever runs it for its addresses")


def _vault_hosts(hosts: Iterable[Host]) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(host.address) for host in hosts if host.group is HostGroup.VAULT)


def _address_in(url: str | None) -> tuple[IPv4Network, ...]:
    try:
        return () if url is None else (IPv4Network(IPv4Address(host_of(url))),)
    except ValueError:
        return ()
