"""Where the cluster of an environment is: the fleet's own, or the one that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from palisade.config import load_configuration
from palisade.config_cluster import ControlPlane
from palisade.config_reach import reach_of_issuer, reach_of_vault
from palisade.fleet import Fleet
from palisade.project import Project, fleet_state_directory


@dataclass(frozen=True)
class ClusterAccess:
    """How a cluster is reached, as administrator."""

    kubeconfig: Path | None
    """None: as kubectl finds it (KUBECONFIG, ``~/.kube/config``)."""
    context: str
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the controls of the network name in words (``clients``, ``databases``); nothing for what is not there."""
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The same for ports: ``api_server``, ``vault``, ``issuer``, ``upstreams``."""
    sinks: Mapping[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    """Where audit records are shipped to, by kind: networks and port. None in a local fleet, where nothing ships."""
    has_control_nodes: bool = True
    """Whether the control plane runs on nodes; pods see nothing of one that a cloud manages."""
    is_local: bool = False
    """Whether it is the cluster of a local fleet, which has what is only there to be tried."""

    def __str__(self) -> str:
        return f"{self.kubeconfig or 'KUBECONFIG'}, context {self.context}"


def find_cluster(project: Project, fleet: Fleet) -> ClusterAccess | None:
    """How the cluster of a fleet is reached; None if it has no cluster.

    An environment has one when its configuration has a section ``cluster``, and its fleet, if it is local, a control
    host.

    Raises:
        ConfigurationError: the configuration is refused.
    """
    environment = fleet.environment
    if not project.environment_file(environment).is_file():
        return None
    configuration = load_configuration(project, environment)
    cluster = configuration.cluster
    if cluster is None or (configuration.is_local and not fleet.has_cluster):
        return None
    vault = reach_of_vault(configuration.vault, configuration.hosts)
    issuer = reach_of_issuer(configuration.tokens, configuration.hosts)
    upstreams = fleet.upstreams
    balancer = configuration.edge.load_balancer if configuration.edge else None
    own = fleet_state_directory(environment) / "kubeconfig" if configuration.is_local else None
    return ClusterAccess(
        kubeconfig=cluster.kubeconfig.expanduser() if cluster.kubeconfig else own,
        context=cluster.context,
        networks={
            "clients": tuple(map(str, fleet.networks.clients)),
            "load_balancers": tuple(map(str, balancer.senders if balancer else ())),
            "api_servers": tuple(f"{address}/32" for address in cluster.api_server.addresses),
            "databases": _hosts(fleet, "database"),
            "vaults": tuple(map(str, vault.networks)),
            "issuers": tuple(map(str, issuer.networks)),
            "upstreams": tuple(map(str, upstreams.networks)) if upstreams else (),
        },
        ports={
            "api_server": (cluster.api_server.port,),
            "vault": (vault.port,),
            "issuer": (issuer.port,),
            "upstreams": upstreams.ports if upstreams else (),
        },
        sinks={
            name: (tuple(map(str, sink.networks)), sink.port)
            for name, sink in ({} if configuration.is_local else dict(configuration.audit.sinks.each())).items()
        },
        has_control_nodes=cluster.control_plane is ControlPlane.NODES,
        is_local=configuration.is_local,
    )


def _hosts(fleet: Fleet, group: str) -> tuple[str, ...]:
    return tuple(f"{host.address}/32" for host in fleet.hosts if host.group.value == group)
