"""The service behind the example API, in a local fleet only: so that there is something to ask for."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    HTTPGetActionArgs,
    Namespace,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    TolerationArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs

from stacks.objects import LABELS, REGISTRY_ROLE, ROLE_LABEL, WHY_ANNOTATION, Component, metadata
from stacks.registry import NAMESPACE
from stacks.registry_pod import USER

UPSTREAM = "upstream"
"""Its name, and that of its image; the example API names it."""
PORT = 8080
_LABELS = {"app.kubernetes.io/name": UPSTREAM}
_WHY = "Answers for the example API; only registry pods reach it"


@dataclass(frozen=True)
class UpstreamArgs:
    """What it runs."""

    after: Namespace
    """Its namespace, which must be there first."""
    image: str


class Upstream(Component):
    """One pod and its Service."""

    def __init__(self, name: str, args: UpstreamArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        Deployment(
            UPSTREAM,
            metadata=metadata(UPSTREAM, namespace=NAMESPACE, why=_WHY),
            spec=DeploymentSpecArgs(
                replicas=1,
                selector=LabelSelectorArgs(match_labels=_LABELS),
                template=PodTemplateSpecArgs(
                    metadata=ObjectMetaArgs(labels={**LABELS, **_LABELS}, annotations={WHY_ANNOTATION: _WHY}),
                    spec=_pod(args.image),
                ),
            ),
            opts=self.child(args.after),
        )
        Service(
            UPSTREAM,
            metadata=metadata(UPSTREAM, namespace=NAMESPACE, why="The name by which the example API is routed"),
            spec=ServiceSpecArgs(
                type="ClusterIP", selector=_LABELS, ports=[ServicePortArgs(name="http", port=PORT, target_port="http")]
            ),
            opts=self.child(args.after),
        )
        self.register_outputs({"port": PORT})


def _pod(image: str) -> PodSpecArgs:
    ready = HTTPGetActionArgs(path="/ready", port=PORT)
    room = {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
    return PodSpecArgs(
        automount_service_account_token=False,
        enable_service_links=False,
        tolerations=[TolerationArgs(key=ROLE_LABEL, operator="Equal", value=REGISTRY_ROLE, effect="NoSchedule")],
        security_context=PodSecurityContextArgs(
            run_as_non_root=True,
            run_as_user=USER,
            run_as_group=USER,
            seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
        ),
        containers=[
            ContainerArgs(
                name=UPSTREAM,
                image=image,
                ports=[ContainerPortArgs(name="http", container_port=PORT)],
                resources=ResourceRequirementsArgs(requests=room, limits=room),
                readiness_probe=ProbeArgs(http_get=ready, period_seconds=5),
                liveness_probe=ProbeArgs(http_get=ready, period_seconds=10, failure_threshold=6),
                security_context=SecurityContextArgs(
                    allow_privilege_escalation=False,
                    read_only_root_filesystem=True,
                    capabilities=CapabilitiesArgs(drop=["ALL"]),
                ),
            )
        ],
    )
