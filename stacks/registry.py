"""The registry: its pods and everything around them, from the service account to the address that clients use."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

import pulumi
from pulumi_kubernetes.apps.v1 import (
    Deployment,
    DeploymentSpecArgs,
    DeploymentStrategyArgs,
    RollingUpdateDeploymentArgs,
)
from pulumi_kubernetes.autoscaling.v2 import (
    CrossVersionObjectReferenceArgs,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpecArgs,
    MetricSpecArgs,
    MetricTargetArgs,
    ResourceMetricSourceArgs,
)
from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Service, ServiceAccount, ServicePortArgs, ServiceSpecArgs
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

from stacks.objects import Component, metadata
from stacks.registry_pod import OPA_BUNDLE, POD_LABELS, PORTS, REGISTRY, RegistryPod

NAMESPACE = "palisade-registry"
BUNDLE_FILE = "bundle.tar.gz"
_PROGRESS_SECONDS = 600
"""How long a rollout may stand still: the first pod makes the tables, and an image may have to be pulled."""
_REVISIONS = 5
"""How many earlier versions can be gone back to."""


@dataclass(frozen=True)
class Pods:
    """How many registry pods there are."""

    least: int
    most: int
    """As many as there are registry nodes: each carries one."""

    @property
    def is_fixed(self) -> bool:
        """Whether their number is what is listed, so that nothing scales them."""
        return self.least == self.most


@dataclass(frozen=True)
class WayIn:
    """How clients come to the pods."""

    addresses: Sequence[IPv4Address] = ()
    """Addresses that nodes have without the cluster, such as their own in a local fleet."""
    asked_for: IPv4Address | None = None
    """The address that a load balancer of the cluster is asked for."""
    node_ports: Mapping[str, int] = field(default_factory=dict)
    """The pinned ports of the nodes, by the names of the Service's ports."""
    health_check_port: int | None = None
    """Where a load balancer asks a node whether it has a registry pod."""
    is_given_an_address: bool = True
    """Whether something gives the Service an address, which is worth waiting for."""


@dataclass(frozen=True)
class RegistryArgs:
    """What the registry is made from."""

    pod: RegistryPod
    pods: Pods
    bundle: bytes
    """The signed policy bundle."""
    clients: Sequence[IPv4Network]
    """From where a load balancer lets clients in."""
    way_in: WayIn = WayIn()
    """How they come from there to the pods."""


class Registry(Component):
    """Service account, configuration, Deployment, disruption budget, autoscaler and Service."""

    def __init__(
        self,
        name: str,
        args: RegistryArgs,
        opts: pulumi.ResourceOptions,
        *,
        namespace: Namespace,
        after: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Declare it.

        Args:
            name: Its name in Pulumi.
            args: What it is made from.
            opts: Its provider.
            namespace: Its namespace, which must be there first.
            after: What its pods cannot start without, such as the certificate of the edge.
        """
        super().__init__(name, opts)
        self._args = args
        self._namespace = namespace
        account = ServiceAccount(
            REGISTRY,
            metadata=metadata(REGISTRY, namespace=NAMESPACE, why="Whose name is in the registry's certificate"),
            automount_service_account_token=False,
            opts=self.child(namespace),
        )
        deployment = self._deployment(account, *self._configuration(), *after)
        PodDisruptionBudget(
            REGISTRY,
            metadata=metadata(REGISTRY, namespace=NAMESPACE, why="While nodes are replaced, one pod at a time is gone"),
            spec=PodDisruptionBudgetSpecArgs(
                max_unavailable=1,
                selector=LabelSelectorArgs(match_labels=dict(POD_LABELS)),
                unhealthy_pod_eviction_policy="AlwaysAllow",
            ),
            opts=self.child(namespace),
        )
        if not args.pods.is_fixed:
            self._autoscaler(deployment)
        self._service()
        self.register_outputs({"ports": list(PORTS.values())})

    def _configuration(self) -> list[ConfigMap]:
        whys = {
            "envoy": "What Envoy listens to and routes; it takes changes of all but its first file without a restart",
            "opa": "How OPA finds its bundle, and the key that verifies it",
        }
        maps = [
            ConfigMap(
                name,
                metadata=metadata(name, namespace=NAMESPACE, why=whys[name]),
                data=dict(files),
                opts=self.child(self._namespace),
            )
            for name, files in sorted(self._args.pod.files.items())
        ]
        bundle = ConfigMap(
            OPA_BUNDLE,
            metadata=metadata(
                OPA_BUNDLE, namespace=NAMESPACE, why="The signed policies and what they know of the APIs"
            ),
            binary_data={BUNDLE_FILE: base64.b64encode(self._args.bundle).decode("ascii")},
            opts=self.child(self._namespace),
        )
        return [*maps, bundle]

    def _deployment(self, *after: pulumi.Resource) -> Deployment:
        pods = self._args.pods
        return Deployment(
            REGISTRY,
            metadata=metadata(REGISTRY, namespace=NAMESPACE, why="The registry pods, one on each registry node"),
            spec=DeploymentSpecArgs(
                # Where an autoscaler counts, a number here would undo its work at every `pulumi up`.
                replicas=pods.least if pods.is_fixed else None,
                revision_history_limit=_REVISIONS,
                progress_deadline_seconds=_PROGRESS_SECONDS,
                selector=LabelSelectorArgs(match_labels=dict(POD_LABELS)),
                strategy=DeploymentStrategyArgs(
                    type="RollingUpdate",
                    # A node has room for one registry pod: the old one goes before the new one comes.
                    rolling_update=RollingUpdateDeploymentArgs(max_surge=0, max_unavailable=1),
                ),
                template=self._args.pod.template(),
            ),
            opts=self.child(self._namespace, *after),
        )

    def _autoscaler(self, deployment: Deployment) -> None:
        target = MetricTargetArgs(type="Utilization", average_utilization=self._args.pod.table.busy_percent)
        HorizontalPodAutoscaler(
            REGISTRY,
            metadata=metadata(REGISTRY, namespace=NAMESPACE, why="As many pods as the load needs, up to one per node"),
            spec=HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=REGISTRY
                ),
                min_replicas=self._args.pods.least,
                max_replicas=self._args.pods.most,
                metrics=[
                    MetricSpecArgs(type="Resource", resource=ResourceMetricSourceArgs(name="cpu", target=target)),
                ],
            ),
            opts=self.child(self._namespace, deployment),
        )

    def _service(self) -> None:
        way = self._args.way_in
        Service(
            REGISTRY,
            metadata=metadata(
                REGISTRY,
                namespace=NAMESPACE,
                why="The registry's only way in: TLS is passed through",
                annotations={} if way.is_given_an_address else {"pulumi.com/skipAwait": "true"},
            ),
            spec=ServiceSpecArgs(
                type="LoadBalancer",
                # Keeps the client's address, and never sends a request to a node without a registry pod.
                external_traffic_policy="Local",
                health_check_node_port=way.health_check_port,
                external_ips=[str(address) for address in way.addresses] or None,
                # Kubernetes calls it deprecated because not every load balancer looks at it; MetalLB and kube-vip do.
                load_balancer_ip=str(way.asked_for) if way.asked_for else None,
                load_balancer_source_ranges=[str(network) for network in self._args.clients],
                selector=dict(POD_LABELS),
                ports=[
                    ServicePortArgs(
                        name=name, port=port, target_port=name, protocol="TCP", node_port=way.node_ports.get(name)
                    )
                    for name, port in PORTS.items()
                ],
            ),
            opts=pulumi.ResourceOptions.merge(
                self.child(self._namespace),
                # An API server never changes this port of a Service that is there.
                pulumi.ResourceOptions(replace_on_changes=["spec.healthCheckNodePort"], delete_before_replace=True),
            ),
        )
