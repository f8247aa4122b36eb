"""The Pulumi program of a Palisade fleet; it only wires.

Run by ``pulumi`` for the selected stack; the stack's name is the name of the environment.
"""

from __future__ import annotations

import pulumi

from palisade.config import FleetConfiguration, fleet_of, parse_configuration
from palisade.config_cluster import Cluster
from palisade.errors import ConfigurationError, PalisadeError
from palisade.images.references import refuse_missing_pins
from palisade.planning import make_plan
from palisade.registry.model import read_apis
from stacks import arguments
from stacks.admission import Admission, Settings
from stacks.audit import Audit
from stacks.auditor import Auditor
from stacks.cert_manager import CertManager
from stacks.last_update import APIS, REGISTRY, refuse_to_lose_the_apis, refuse_to_lose_the_registry
from stacks.network import Network
from stacks.nodes import ExistingNodes, NodePools
from stacks.pki import Pki
from stacks.platform import Platform
from stacks.registry import NAMESPACE, Registry
from stacks.registry_arguments import is_ready_for_the_registry, registry_arguments, upstream_arguments
from stacks.upstream import Upstream


def configuration_of_stack() -> FleetConfiguration:
    """The validated configuration of the selected stack, before any resource is declared.

    Raises:
        RunError: the configuration is refused, or an image that would run is not pinned; Pulumi shows the message
            without a traceback.
    """
    environment = pulumi.get_stack()
    # From Pulumi and not from the file, so that `pulumi --config-file` and `pulumi config set --path` count.
    fleet = pulumi.Config("palisade").require_object("fleet")
    try:
        configuration = parse_configuration(
            fleet, environment=environment, file=f"configuration of stack {environment}"
        )
        refuse_missing_pins(configuration)
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from error
    return configuration


async def declare(configuration: FleetConfiguration, cluster: Cluster) -> bool:
    """Everything inside the cluster; whether the registry is part of it."""
    registry = None
    if is_ready_for_the_registry(configuration.environment):
        await refuse_to_lose_the_apis()
        registry = registry_arguments(configuration, cluster)
    else:
        await refuse_to_lose_the_registry()
        pulumi.log.warn(
            f"There is no policy bundle yet (palisade bundle build {configuration.environment}): no registry"
        )
    opts = pulumi.ResourceOptions(provider=arguments.provider("cluster", configuration, cluster))
    adopter = arguments.provider("adopter", configuration, cluster, adopts=True)
    pools = arguments.node_pools_arguments(configuration, cluster)
    if pools is None:
        nodes = ExistingNodes("nodes", arguments.existing_nodes_arguments(configuration, cluster), opts)
        await nodes.accepted.future()  # refuses unfit ones while nothing is declared, also without a preview
    admission = Admission("admission", arguments.admission_arguments(configuration), opts)
    if pools is not None:
        NodePools("nodes", pools, opts)
    platform = Platform("platform", arguments.platform_arguments(configuration, cluster, adopter), opts)
    settings = arguments.settings_arguments(configuration, platform.namespaces, admission.bindings)
    Settings("settings", settings, opts)
    network = Network("network", arguments.network_arguments(configuration, cluster, platform.namespaces), opts)
    installed = arguments.cert_manager_arguments(configuration, cluster, platform.namespaces)
    cert_manager = None if installed is None else CertManager("cert-manager", installed, opts)
    works: tuple[pulumi.Resource, ...] = (network, *(cert_manager.ready if cert_manager else ()))
    pki_args = arguments.pki_arguments(configuration, platform.namespaces, works)
    pki = None if pki_args is None else Pki("pki", pki_args, opts)
    namespace = platform.namespaces[NAMESPACE]
    if registry is not None:
        Registry("registry", registry, opts, namespace=namespace, after=(network, *((pki.certificate,) if pki else ())))
        upstream = upstream_arguments(configuration, platform.namespaces)
        if upstream is not None:
            Upstream("upstream", upstream, opts)
    Auditor("auditor", arguments.auditor_arguments(platform.namespaces), opts)
    audit = arguments.audit_arguments(configuration, cluster, platform.namespaces)
    if audit is not None:
        Audit("audit", audit, opts)
    return registry is not None


async def main() -> pulumi.Inputs:
    """Declare the platform, and export what others read: the hosts, the sizing, and what the next update must not lose.

    Raises:
        RunError: the configuration, or what it points to, is refused; Pulumi shows its message without a traceback.
    """
    configuration = configuration_of_stack()
    has_registry = False
    try:
        if configuration.cluster is not None:
            has_registry = await declare(configuration, configuration.cluster)
        published = read_apis(configuration.environment)
    except PalisadeError as error:
        raise pulumi.RunError(str(error)) from error
    return {
        "fleet": fleet_of(configuration, published.upstream_ports).model_dump(mode="json"),
        "plan": make_plan(configuration, {}).document(),
        REGISTRY: has_registry,
        APIS: len(published.apis) if has_registry else 0,
    }


pulumi.run(main)
