"""Contract 1: the fleet configuration, ``palisade:fleet`` in ``Pulumi.<environment>.yaml``.

Reading it touches nothing. Everything that is wrong with a file is reported at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from pydantic import ValidationInfo, field_validator

from palisade.config_access import Access, Tokens
from palisade.config_cluster import CertManager, Cluster, Provisioner, State
from palisade.config_hosts import closed, misplaced, not_private, of_cluster, repeated, second_databases, too_few
from palisade.config_images import ImageSources
from palisade.config_reach import reach_of_issuer, reach_of_vault, unreachable
from palisade.config_sections import (
    Audit,
    Database,
    DataClass,
    Edge,
    FleetNetworkSettings,
    Host,
    LocalFleet,
    Registry,
    Tls,
    Traffic,
)
from palisade.config_values import DataClassName, Exposure, ExposureChoice, ImageName, ImageReference
from palisade.config_vault import Vault
from palisade.errors import ConfigurationError
from palisade.fleet import (
    FLEET_VERSION,
    Fleet,
    FleetApiServers,
    FleetHost,
    FleetNetworks,
    FleetSink,
    FleetUpstreams,
    HostGroup,
)
from palisade.project import Project
from palisade.validation import Problem, Section, nearest, refuse, validate
from palisade.yaml_file import KeyPath, read_yaml

CONFIGURATION_KEY = "palisade:fleet"
"""Where the configuration stands under ``config`` in ``Pulumi.<environment>.yaml``."""

PERMANENT_ENVIRONMENTS = ("dev", "staging", "prod")
"""Never local fleets: a local fleet may use images without a digest."""


class FleetSettings(Section):
    """What stands under ``palisade:fleet``."""

    local: LocalFleet | None = None
    """Present in a local fleet only."""
    exposure: ExposureChoice
    """From where clients reach the registry."""
    traffic: Traffic
    """The load that the environment is built for."""
    audit: Audit = Audit()
    """What the audit trail takes."""
    tls: Tls = Tls()
    """What the edge accepts, and how long certificates live."""
    access: Access = Access()
    """What a request must bring, and how much the edge carries."""
    edge: Edge | None = None
    """What clients see of the registry; without it the stack asks for no certificate."""
    networks: FleetNetworkSettings
    """Which networks may talk to the fleet."""
    hosts: tuple[Host, ...]
    """The existing machines (in a local fleet: the machines to start)."""
    database: Database
    """The PostgreSQL host."""
    registry: Registry = Registry()
    """The registry nodes."""
    cluster: Cluster | None = None
    """The Kubernetes cluster that the stack builds on."""
    state: State = State()
    """Where Pulumi keeps the state of the stack."""
    vault: Vault = Vault()
    """Vault or OpenBao: certificates, signing keys, secrets."""
    tokens: Tokens | None = None
    """Whose bearer tokens the edge accepts; absent, those of the Vault of the fleet."""
    image_sources: ImageSources | None = None
    """Where the container images come from; a local fleet builds its own."""
    images: Mapping[ImageName, ImageReference] = {}
    """The container image of each component; ``palisade images pin`` writes them."""
    data_classes: Mapping[DataClassName, DataClass]
    """Where each kind of data may be stored."""

    # Fields are validated in the order above and a field that was refused is absent from `known`: each rule below
    # looks at the fields it needs if they are sound, so that one mistake never hides another.

    @field_validator("local")
    @classmethod
    def _permanent_environments_are_not_local(cls, local: LocalFleet | None, info: ValidationInfo) -> LocalFleet | None:
        if local is not None and info.context in PERMANENT_ENVIRONMENTS:
            what = f"{info.context} cannot be a local fleet."
            refuse([Problem((), what, "no section local", "describe a local fleet in a file of its own")])
        return local

    @field_validator("edge")
    @classmethod
    def _load_balancer_is_no_wider_than_exposure(cls, edge: Edge | None, info: ValidationInfo) -> Edge | None:
        if edge is not None and edge.load_balancer and info.data.get("exposure") is Exposure.INTERNAL:
            refuse(not_private(edge.load_balancer.senders, "load_balancer", "networks"))
        return edge

    @field_validator("networks")
    @classmethod
    def _exposure_holds(cls, networks: FleetNetworkSettings, info: ValidationInfo) -> FleetNetworkSettings:
        if info.data.get("exposure") is Exposure.INTERNAL:
            refuse(not_private(networks.clients, "clients"))
        return networks

    @field_validator("hosts")
    @classmethod
    def _hosts_fit_together(cls, hosts: tuple[Host, ...], info: ValidationInfo) -> tuple[Host, ...]:
        networks = info.data.get("networks")
        refuse([*repeated(hosts, "name"), *repeated(hosts, "address"), *misplaced(hosts, networks)])
        if not any(host.group is HostGroup.BASTION for host in hosts):
            allowed = "at least one host of the group bastion"
            refuse([Problem((), "There is no bastion; the other hosts are only reached through it.", allowed)])
        refuse([*second_databases(hosts), *of_cluster(hosts, networks, local=info.data.get("local") is not None)])
        return hosts

    @field_validator("database")
    @classmethod
    def _registry_reaches_the_database(cls, database: Database, info: ValidationInfo) -> Database:
        refuse(
            Problem(("allowed_sources",), f"{host.name} ({host.address}) is in none of them.", "every registry host")
            for host in info.data.get("hosts", ())
            if host.group is HostGroup.REGISTRY
            and not any(host.address in source for source in database.allowed_sources)
        )
        return database

    @field_validator("cluster")
    @classmethod
    def _existing_nodes_are_enough(cls, cluster: Cluster | None, info: ValidationInfo) -> Cluster | None:
        known = info.data
        sound = {"traffic", "hosts", "registry"} <= known.keys()
        if cluster is None or cluster.provisioner is Provisioner.KARPENTER or known.get("local") or not sound:
            return cluster
        few = too_few(known["hosts"], known["traffic"], known["registry"])
        refuse([*few, *closed(known.get("networks"), known.get("edge"))])
        return cluster

    @field_validator("vault")
    @classmethod
    def _cert_manager_reaches_vault(cls, vault: Vault, info: ValidationInfo) -> Vault:
        cluster, hosts = info.data.get("cluster"), info.data.get("hosts")
        if hosts is not None and cluster and cluster.cert_manager is CertManager.INSTALL and info.data.get("edge"):
            others = "or an address in vault.address, or a host of the group vault"
            refuse(unreachable(reach_of_vault(vault, hosts), vault.address, "cert-manager", others))
        return vault

    @field_validator("tokens")
    @classmethod
    def _registry_pods_reach_the_issuer(cls, tokens: Tokens | None, info: ValidationInfo) -> Tokens | None:
        if tokens is not None and info.data.get("cluster"):
            others = "or an address in tokens.jwks_uri"
            refuse(unreachable(reach_of_issuer(tokens, ()), tokens.jwks_uri, "registry pods", others))
        return tokens

    @field_validator("images")
    @classmethod
    def _images_are_pinned(cls, images: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        if info.data.get("local") is None:
            refuse(
                Problem(
                    (name,),
                    f"{reference} has no digest.",
                    "repository:tag@sha256:<64 hexadecimal digits>",
                    "palisade images pin asks the image's registry for it",
                )
                for name, reference in images.items()
                if "@sha256:" not in reference
            )
        return images

    @field_validator("data_classes")
    @classmethod
    def _some_data_class(cls, data_classes: Mapping[str, DataClass]) -> Mapping[str, DataClass]:
        if not data_classes:
            refuse([Problem((), "There is no data class.", "at least one data class")])
        return data_classes


class FleetConfiguration(FleetSettings):
    """One environment: its name, which is the file's, and what the file says."""

    environment: str
    """The name of the environment."""

    @property
    def is_local(self) -> bool:
        """Whether the hosts are started on this machine."""
        return self.local is not None

    @property
    def edge_addresses(self) -> tuple[IPv4Address, ...]:
        """The addresses in the certificate of the edge; in a local fleet its nodes', unless others are named."""
        if self.edge is None or self.edge.addresses or not self.is_local:
            return () if self.edge is None else self.edge.addresses
        return tuple(host.address for host in self.hosts_in(HostGroup.REGISTRY))

    def hosts_in(self, group: HostGroup) -> tuple[Host, ...]:
        """The hosts of one group, in the order of the file."""
        return tuple(host for host in self.hosts if host.group is group)


def load_configuration(project: Project, environment: str) -> FleetConfiguration:
    """Read and validate the configuration of an environment; touches nothing.

    Raises:
        ConfigurationError: there is no such environment, or its file is refused, with every problem and its line.
    """
    if environment not in project.environments():
        meant = nearest(environment, project.environments())
        raise ConfigurationError(
            f"There is no environment {environment}.",
            where=str(project.root),
            allowed=", ".join(project.environments()) or "none: the project has no Pulumi.<environment>.yaml",
            remedy=f"did you mean {meant}?" if meant else "use one of them, or write a file for a new one",
        )
    path = project.environment_file(environment)
    document = read_yaml(path)
    config = document.value.get("config") if isinstance(document.value, dict) else None
    if not isinstance(config, dict) or CONFIGURATION_KEY not in config:
        similar = nearest(CONFIGURATION_KEY, config) if isinstance(config, dict) else None
        raise ConfigurationError(
            f"The file has no {CONFIGURATION_KEY} under config.",
            where=str(path),
            allowed=f"config: {{{CONFIGURATION_KEY}: ...}}",
            remedy=f"rename {similar} to {CONFIGURATION_KEY}" if similar else "start from Pulumi.dev.yaml",
        )
    prefix = ("config", CONFIGURATION_KEY)
    lines = {key[2:]: line for key, line in document.lines.items() if key[:2] == prefix}
    return parse_configuration(config[CONFIGURATION_KEY], environment=environment, file=path.name, lines=lines)


def parse_configuration(
    fleet: Any, *, environment: str, file: str, lines: Mapping[KeyPath, int] | None = None
) -> FleetConfiguration:
    """Validate what stands under ``palisade:fleet``.

    Args:
        fleet: The value, from YAML or from Pulumi's own configuration object.
        environment: The name of the environment.
        file: How errors name the file.
        lines: The line of each key, where it is known.

    Raises:
        ConfigurationError: with every problem.
    """
    settings = validate(FleetSettings, fleet, file=file, at="fleet", lines=lines or {}, context=environment)
    # The settings are sound and the name is the caller's: there is nothing left to validate.
    return FleetConfiguration.model_construct(
        _fields_set=settings.model_fields_set | {"environment"}, environment=environment, **dict(settings)
    )


def fleet_of(configuration: FleetConfiguration, upstream_ports: Sequence[int] = ()) -> Fleet:
    """The fleet that a configuration describes; the same configuration gives the same fleet.

    Where an OpenSSH client configuration of a local fleet lies is not part of it: who starts the hosts adds it.

    Args:
        configuration: The environment.
        upstream_ports: The TCP ports of the services behind registered APIs; without them nodes forward to none.
    """
    networks, cluster = configuration.networks, configuration.cluster
    servers = None if cluster is None else cluster.api_server
    upstreams = networks.upstreams if upstream_ports else ()
    balancer = configuration.edge.load_balancer if configuration.edge else None
    return Fleet(
        version=FLEET_VERSION,
        environment=configuration.environment,
        hosts=tuple(FleetHost(**host.model_dump()) for host in configuration.hosts),
        networks=FleetNetworks(**{name: getattr(networks, name) for name in FleetNetworks.model_fields}),
        api_servers=None if servers is None else FleetApiServers(addresses=servers.addresses, port=servers.port),
        upstreams=FleetUpstreams(networks=upstreams, ports=tuple(upstream_ports)) if upstreams else None,
        load_balancer=balancer.fleet() if balancer else None,
        database_sources=configuration.database.allowed_sources,
        sinks=tuple(
            FleetSink(name=name, networks=sink.networks, port=sink.port)
            for name, sink in configuration.audit.sinks.each()
        ),
        certificate_hours=configuration.tls.certificate_ttl_hours,
    )
