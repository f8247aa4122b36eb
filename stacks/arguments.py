"""From the configuration to the arguments of each component: the only place that knows both."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.core.v1 import Namespace

from palisade.config import FleetConfiguration
from palisade.config_cluster import CertManager, Cluster, ControlPlane, Provisioner
from palisade.config_reach import reach_of_issuer, reach_of_vault
from palisade.fleet import HostGroup
from palisade.fluentd.model import fluentd_model
from palisade.images.references import FLUENTD, image_reference
from palisade.policies.settings import AGENTS_NAMESPACE, SETTINGS_NAMESPACE, declared_settings, policy_settings
from palisade.project import fleet_state_directory
from palisade.registry.model import read_apis
from palisade.sizing import Resources, Scale, registry_requests, scale_for
from palisade.vault.access import asks_for_certificates
from stacks.admission import AdmissionArgs, SettingsArgs
from stacks.audit import AuditArgs
from stacks.auditor import AuditorArgs
from stacks.cert_manager import CertManagerArgs
from stacks.existing_nodes import NodeNeeds
from stacks.network import NetworkArgs
from stacks.nodes import ExistingNodesArgs, NodePoolsArgs
from stacks.pki import EDGE_NAMESPACE, PkiArgs
from stacks.platform import PlatformArgs
from stacks.vault_access import vault_access

SYSTEM_NAMESPACE = "palisade-system"
LOCAL_KUBECONFIG = "kubeconfig"
"""The file in the state of a local fleet."""


def provider(name: str, configuration: FleetConfiguration, cluster: Cluster, *, adopts: bool = False) -> Provider:
    """How the cluster is reached.

    Args:
        name: Its name in Pulumi.
        configuration: The environment.
        cluster: Its section about the cluster.
        adopts: Whether an object that is already there is taken over; otherwise it is an error, as somebody else's.
    """
    path = kubeconfig(configuration, cluster)
    return Provider(
        name,
        kubeconfig=None if path is None else str(path),
        context=cluster.context,
        # Without it, another kubeconfig for the same cluster would look like another cluster: everything replaced.
        cluster_identifier=f"palisade-{configuration.environment}",
        upsert_existing_objects=True if adopts else None,
        # A changed ConfigMap stays the same object: pods that mount it see the change, and never that it is gone.
        enable_config_map_mutable=True,
    )


def kubeconfig(configuration: FleetConfiguration, cluster: Cluster) -> Path | None:
    """The kubeconfig file to use; None means what ``KUBECONFIG`` names, as kubectl has it."""
    if cluster.kubeconfig is not None:
        return cluster.kubeconfig.expanduser()
    return fleet_state_directory(configuration.environment) / LOCAL_KUBECONFIG if configuration.is_local else None


def platform_arguments(configuration: FleetConfiguration, cluster: Cluster, adopter: Provider) -> PlatformArgs:
    """Namespaces with room for the whole fleet."""
    if cluster.provisioner is Provisioner.KARPENTER:
        nodes = scale_of(configuration).nodes
    else:
        nodes = len(configuration.hosts_in(HostGroup.REGISTRY))
    return PlatformArgs(registry_nodes=nodes, registry_pod=registry_pod(configuration, cluster), adopter=adopter)


def network_arguments(
    configuration: FleetConfiguration, cluster: Cluster, namespaces: Mapping[str, Namespace]
) -> NetworkArgs:
    """The addresses behind the words of the table of allowances."""
    vault = reach_of_vault(configuration.vault, configuration.hosts)
    issuer = reach_of_issuer(configuration.tokens, configuration.hosts)
    balancer = configuration.edge.load_balancer if configuration.edge else None
    return NetworkArgs(
        namespaces=namespaces,
        networks={
            "clients": configuration.networks.clients,
            "load_balancers": balancer.senders if balancer else (),
            "api_servers": tuple(IPv4Network(address) for address in cluster.api_server.addresses),
            "databases": _addresses(configuration, "database"),
            "vaults": vault.networks,
            "issuers": issuer.networks,
            "upstreams": configuration.networks.upstreams,
        },
        ports={
            "api_server": (cluster.api_server.port,),
            "vault": (vault.port,),
            "issuer": (issuer.port,),
            "upstreams": read_apis(configuration.environment).upstream_ports,
        },
        is_local=configuration.is_local,
    )


def admission_arguments(configuration: FleetConfiguration) -> AdmissionArgs:
    """What the cluster refuses."""
    return AdmissionArgs(settings=policy_settings(configuration))


def settings_arguments(
    configuration: FleetConfiguration,
    namespaces: Mapping[str, Namespace],
    bindings: tuple[pulumi.Resource, ...],
) -> SettingsArgs:
    """What the fleet promises, declared once the cluster judges it."""
    return SettingsArgs(data=declared_settings(configuration), after=(namespaces[SETTINGS_NAMESPACE], *bindings))


def cert_manager_arguments(
    configuration: FleetConfiguration, cluster: Cluster, namespaces: Mapping[str, Namespace]
) -> CertManagerArgs | None:
    """What cert-manager runs with; None where the cluster has one already, or nothing asks it for certificates."""
    if cluster.cert_manager is CertManager.EXISTING or not asks_for_certificates(configuration):
        return None
    return CertManagerArgs(
        image=image_reference(configuration, "cert-manager"),
        namespaces=namespaces,
        beside_the_registry=configuration.is_local,
    )


def pki_arguments(
    configuration: FleetConfiguration, namespaces: Mapping[str, Namespace], after: tuple[pulumi.Resource, ...]
) -> PkiArgs | None:
    """Who signs the certificate of the edge, and what it says; None without a Vault or names of the edge."""
    edge = configuration.edge
    if edge is None or not asks_for_certificates(configuration):
        return None
    return PkiArgs(
        vault=vault_access(configuration),
        names=edge.names,
        addresses=configuration.edge_addresses,
        identity=f"spiffe://palisade.{configuration.environment}/ns/{EDGE_NAMESPACE}/sa/registry",
        lifetime_hours=configuration.tls.certificate_ttl_hours,
        renew_before_hours=configuration.tls.renew_before_hours,
        after=after,
        namespace=namespaces[EDGE_NAMESPACE],
    )


def auditor_arguments(namespaces: Mapping[str, Namespace]) -> AuditorArgs:
    """The auditor's service account lives beside what the platform runs itself."""
    return AuditorArgs(namespace=SYSTEM_NAMESPACE, after=namespaces[SYSTEM_NAMESPACE])


def audit_arguments(
    configuration: FleetConfiguration, cluster: Cluster, namespaces: Mapping[str, Namespace]
) -> AuditArgs | None:
    """What collects audit records; None without a sink, and in a local fleet, where its image cannot be built."""
    model = fluentd_model(configuration)
    if model is None or configuration.is_local:
        return None
    return AuditArgs(
        after=namespaces[AGENTS_NAMESPACE],
        model=model,
        image=image_reference(configuration, FLUENTD),
        api_servers=tuple(IPv4Network(address) for address in cluster.api_server.addresses),
        api_server_port=cluster.api_server.port,
        has_control_nodes=cluster.control_plane is ControlPlane.NODES,
    )


def node_pools_arguments(configuration: FleetConfiguration, cluster: Cluster) -> NodePoolsArgs | None:
    """What Karpenter may make; None where it makes nothing."""
    if cluster.node_class is None or cluster.instance_labels is None:
        return None
    return NodePoolsArgs(
        scale=scale_of(configuration),
        zones=cluster.zones,
        node_class=cluster.node_class,
        instance_labels=cluster.instance_labels,
        expiry_hours=cluster.node_expiry_hours,
        further=cluster.instance_requirements,
    )


def existing_nodes_arguments(configuration: FleetConfiguration, cluster: Cluster) -> ExistingNodesArgs:
    """The listed registry hosts, which are nodes of the same names."""
    pod = registry_pod(configuration, cluster)
    beside = cluster.daemonsets
    whole = Resources(pod.millicpu + beside.millicpu, pod.memory_mib + beside.memory_mib)
    return ExistingNodesArgs(
        names=tuple(host.name for host in configuration.hosts_in(HostGroup.REGISTRY)),
        needs=NodeNeeds(
            room=pod if configuration.is_local else whole,
            zones=cluster.zones,
            scale=None if configuration.is_local else scale_of(configuration),
        ),
    )


def registry_pod(configuration: FleetConfiguration, cluster: Cluster) -> Resources:
    """What a registry pod asks for: all that its node has left, or in a local fleet what this machine can spare."""
    local = configuration.local
    if local is None:
        return registry_requests(cluster)
    return Resources(local.registry_millicpu, local.registry_memory_mib)


def _addresses(configuration: FleetConfiguration, group: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(host.address) for host in configuration.hosts if host.group.value == group)


def scale_of(configuration: FleetConfiguration) -> Scale:
    """The plan of an environment."""
    return scale_for(configuration.traffic.peak_rps, configuration.registry.minimum_nodes)
