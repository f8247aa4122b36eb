"""Contract 2: the ``fleet`` object that a stack exports and the local fleet writes: versioned, without secrets."""

from __future__ import annotations

import json
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palisade.errors import ConfigurationError

FLEET_VERSION = 3
"""Version 2 brought the group control and the networks of the cluster, version 3 the group vault."""
PUBLISHED_PORTS = (443, 8443)
"""The ports of the registry, and of its pods: calls of APIs, and its management."""
POD_SUBNET_PREFIX = 24
"""How much of the pod network a node of a local cluster gets: 254 addresses, more than the 110 pods of a kubelet."""


class HostGroup(StrEnum):
    """What a host is for; it decides which roles and which firewall rules the host gets."""

    BASTION = "bastion"
    CONTROL = "control"
    REGISTRY = "registry"
    DATABASE = "database"
    VAULT = "vault"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_Login = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]


class FleetHost(_Frozen):
    """One machine that Ansible hardens."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")
    group: HostGroup
    address: IPv4Address
    ssh_user: _Login = "palisade"
    """The login that Ansible and the verification use."""
    logins: tuple[_Login, ...] = ()
    """Who else may log in: people."""
    ssh_port: int = Field(default=22, ge=1, le=65535)


class FleetNetworks(_Frozen):
    """Which networks may talk to the fleet."""

    fleet: IPv4Network
    """The network that the hosts themselves are in."""
    operators: tuple[IPv4Network, ...]
    """Where operators come from; the only source that the bastion admits on its SSH port."""
    clients: tuple[IPv4Network, ...]
    """Where API clients come from; beside a load balancer the only source that registry nodes admit on 443 and 8443."""
    pods: IPv4Network | None = None
    """The addresses of the cluster's pods; None where the fleet has no need to know them."""
    services: IPv4Network | None = None
    """The addresses of the cluster's services; None where the fleet has no need to know them."""


class FleetSink(_Frozen):
    """Where audit records go: the nodes let their pods connect there, and Network Policies only the collector's."""

    name: str = Field(pattern=r"^[a-z][a-z0-9]{0,31}$")
    """Its kind, as in ``audit.sinks``."""
    networks: tuple[IPv4Network, ...] = Field(min_length=1)
    port: int = Field(ge=1, le=65535)


class FleetApiServers(_Frozen):
    """Where the Kubernetes API is: nodes, their pods and Vault connect there, and it connects to nodes and pods."""

    addresses: tuple[IPv4Address, ...] = Field(min_length=1)
    port: int = Field(ge=1, le=65535)


class FleetUpstreams(_Frozen):
    """The services behind registered APIs: the nodes let their pods connect there."""

    networks: tuple[IPv4Network, ...] = Field(min_length=1)
    ports: tuple[int, ...] = Field(min_length=1)


class FleetLoadBalancer(_Frozen):
    """What stands in front of the registry nodes, and where it or its clients arrive there."""

    networks: tuple[IPv4Network, ...] = ()
    """Where its connections and probes come from."""
    node_ports: tuple[int, ...] = ()
    """The ports of the nodes' own addresses that it sends to."""
    pod_ports: tuple[int, ...] = ()
    """The ports of pods that it sends to."""
    addresses: tuple[IPv4Address, ...] = ()
    """Addresses that end on the nodes; clients are admitted there as at those of the nodes."""
    health_check_port: int | None = None
    """Where it asks a node whether it has a registry pod."""


class Fleet(_Frozen):
    """The hosts of one environment and how they are reached."""

    version: Literal[3]
    environment: str
    hosts: tuple[FleetHost, ...] = Field(min_length=1)
    networks: FleetNetworks
    api_servers: FleetApiServers | None = None
    """None where the configuration names no cluster; the control host of a local fleet is the API server then."""
    upstreams: FleetUpstreams | None = None
    """None where there is no service, or no API is registered."""
    load_balancer: FleetLoadBalancer | None = None
    """None where clients reach the nodes themselves, or nothing is said about what stands in between."""
    database_sources: tuple[IPv4Network, ...] = ()
    """Who may open database connections; where no registry host is listed, this is where nodes are."""
    sinks: tuple[FleetSink, ...] = ()
    certificate_hours: int = Field(default=24, ge=1, le=24)
    """How long the certificates of hosts are valid, in hours (``tls.certificate_ttl_hours``)."""
    ssh_config: Path | None = None
    """An OpenSSH client configuration that reaches every host by name (local fleet); None means the user's own."""

    def in_group(self, group: HostGroup) -> tuple[FleetHost, ...]:
        """The hosts of one group, in the order of the fleet."""
        return tuple(host for host in self.hosts if host.group is group)

    @property
    def has_cluster(self) -> bool:
        """Whether Kubernetes runs on hosts of this fleet: it has a control plane."""
        return bool(self.in_group(HostGroup.CONTROL))

    def pod_subnet(self, host: FleetHost) -> IPv4Network | None:
        """The part of the pod network that belongs to a registry node, by its position in the group.

        None for other hosts, and in a fleet without a control plane: there the cluster decides.
        """
        if self.networks.pods is None or not self.has_cluster or host.group is not HostGroup.REGISTRY:
            return None
        position = self.in_group(HostGroup.REGISTRY).index(host)
        return next(islice(self.networks.pods.subnets(new_prefix=POD_SUBNET_PREFIX), position, None))

    def to_json(self) -> str:
        """The same bytes for the same fleet: sorted keys, a newline at the end."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def load_fleet(path: Path) -> Fleet:
    """Read a saved fleet object.

    Raises:
        ConfigurationError: the file is missing, is not JSON, has another version or a field that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The fleet object cannot be read: {error.strerror}.",
            where=str(path),
            remedy="write it: palisade inventory ENVIRONMENT --save fleet.json; or start the local fleet",
        ) from error
    return parse_fleet(text, where=str(path))


def parse_fleet(text: str, *, where: str) -> Fleet:
    """Read a fleet object from JSON text.

    Raises:
        ConfigurationError: not JSON, another version, or a field that is not allowed.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"The fleet object is not JSON: {error.msg} (line {error.lineno}).", where=where
        ) from error
    version = document.get("version") if isinstance(document, dict) else None
    if version != FLEET_VERSION:
        raise ConfigurationError(
            f"The fleet object has version {version!r}.",
            where=f"{where}: version",
            allowed=str(FLEET_VERSION),
            remedy=(
                "let this palisade write it again (pulumi up, or palisade local up), "
                "or use the palisade release that wrote it"
            ),
        )
    try:
        return Fleet.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where=f"{where}: {path}") from error
