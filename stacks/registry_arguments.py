"""From the configuration, the registered APIs and the policy bundle to the arguments of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pulumi_kubernetes.core.v1 import Namespace

from palisade.access_path import opa
from palisade.access_path.model import access_path
from palisade.access_path.rendering import BOOTSTRAP, envoy_arguments, render_for_config_map
from palisade.bundle.build import KEY_FILE, bundle_file
from palisade.config import FleetConfiguration
from palisade.config_access import DecisionLog
from palisade.config_cluster import Cluster
from palisade.config_edge import SendsTo
from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup
from palisade.images.references import image_reference
from palisade.registry.model import read_apis
from palisade.sizing import MILLICPU_PER_VCPU, SPARE_NODES_PER_CLUSTER, Resources
from stacks.arguments import registry_pod, scale_of
from stacks.registry import NAMESPACE, Pods, RegistryArgs, WayIn
from stacks.registry_pod import APICURIO, ENVOY, OPA, RegistryPod
from stacks.registry_table import RegistryTable, divided
from stacks.tables import read_table
from stacks.upstream import UPSTREAM, UpstreamArgs

OPA_DIRECTORY = "/etc/opa"
_HEAP_PERCENT = 80
"""How much of its container's memory Envoy may use before it refuses requests."""
_JAVA_IMAGE = "apicurio-registry"


def is_ready_for_the_registry(environment: str) -> bool:
    """Whether the environment has a policy bundle; its first ``pulumi up`` comes before that.

    The bundle is signed by Vault, and the passwords of the registry go into a namespace that the first ``up`` makes.
    """
    return bundle_file(environment).exists()


def registry_arguments(configuration: FleetConfiguration, cluster: Cluster) -> RegistryArgs:
    """The registry of an environment; asked for before anything is declared, because it may be refused.

    Raises:
        ConfigurationError: there is no policy bundle or no database host, an image is not pinned, nothing says whose
            tokens count, or there are more operations than a ConfigMap holds.
    """
    environment = configuration.environment
    bundle = _read(bundle_file(environment), environment)
    key = _read(bundle_file(environment).with_name(KEY_FILE), environment).decode("ascii")
    table = read_table("registry", RegistryTable)
    room = registry_pod(configuration, cluster)
    path = access_path(configuration, read_apis(environment))
    heap = divided(room, table.containers)[ENVOY].memory_mib * _HEAP_PERCENT // 100
    path = replace(
        path, access=path.access.model_copy(update={"envoy_heap_mib": min(path.access.envoy_heap_mib, heap)})
    )
    pod = RegistryPod(
        table=table,
        images={name: image_reference(configuration, name) for name in (ENVOY, OPA, _JAVA_IMAGE)},
        room=room,
        arguments={
            ENVOY: envoy_arguments(path.places.configuration, workers=_workers(room)),
            OPA: opa.opa_arguments(OPA_DIRECTORY),
            APICURIO: (),
        },
        environment={OPA: opa.ENVIRONMENT},
        files={
            ENVOY: render_for_config_map(path),
            OPA: opa.render_opa(
                opa.OpaSettings(
                    environment=environment,
                    verification_key=key,
                    decision_log=path.access.decision_log is DecisionLog.ENVOY_AND_OPA,
                )
            ),
        },
        read_at_start={ENVOY: (BOOTSTRAP,), OPA: (opa.CONFIGURATION, *opa.OWN_POLICIES)},
        database_server=_database_server(configuration),
    )
    return RegistryArgs(
        pod=pod,
        pods=pods_of(configuration),
        bundle=bundle,
        clients=configuration.networks.clients,
        way_in=way_in_of(configuration),
    )


def way_in_of(configuration: FleetConfiguration) -> WayIn:
    """How clients come to the pods: as the section about the load balancer says, in a local fleet also by its nodes."""
    nodes = configuration.hosts_in(HostGroup.REGISTRY) if configuration.is_local else ()
    own = tuple(host.address for host in nodes)
    balancer = configuration.edge.load_balancer if configuration.edge else None
    if balancer is None:
        return WayIn(addresses=own, is_given_an_address=not own)
    is_asked = balancer.sends_to is SendsTo.SERVICE_ADDRESS
    return WayIn(
        addresses=own if is_asked else (*own, *balancer.addresses),
        asked_for=balancer.addresses[0] if is_asked else None,
        node_ports=balancer.node_ports.model_dump() if balancer.node_ports else {},
        health_check_port=balancer.health_check_port,
        is_given_an_address=is_asked,
    )


def upstream_arguments(configuration: FleetConfiguration, namespaces: Mapping[str, Namespace]) -> UpstreamArgs | None:
    """The service behind the example API; None where there are real ones."""
    if not configuration.is_local:
        return None
    return UpstreamArgs(after=namespaces[NAMESPACE], image=image_reference(configuration, UPSTREAM))


def pods_of(configuration: FleetConfiguration) -> Pods:
    """How many registry pods there are: in a local fleet as many as nodes are listed, elsewhere as the load needs."""
    if configuration.is_local:
        listed = len(configuration.hosts_in(HostGroup.REGISTRY))
        return Pods(listed, listed)
    scale = scale_of(configuration)
    least = scale.clusters * (configuration.registry.minimum_nodes + SPARE_NODES_PER_CLUSTER)
    return Pods(min(least, scale.nodes), scale.nodes)


def _database_server(configuration: FleetConfiguration) -> str:
    for host in configuration.hosts_in(HostGroup.DATABASE):  # a second one was refused with the configuration
        return str(host.address)
    raise ConfigurationError(
        f"The environment {configuration.environment} has no database host, and the registry keeps everything there.",
        where=f"Pulumi.{configuration.environment}.yaml: fleet.hosts",
        allowed="one host of the group database",
    )


def _workers(room: Resources) -> int:
    """Envoy's threads: one for each whole processor that the pod asks for."""
    return max(1, room.millicpu // MILLICPU_PER_VCPU)


def _read(path: Path, environment: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"The environment {environment} has no policy bundle, and without one every request would be refused.",
            where=str(path),
            remedy=f"palisade bundle build {environment}",
        ) from error
