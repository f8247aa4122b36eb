"""The audit trail's collector: Fluentd on every node, and the only way out to where records are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
from pulumi_kubernetes.apps.v1 import DaemonSet, DaemonSetSpecArgs
from pulumi_kubernetes.core.v1 import (
    AffinityArgs,
    CapabilitiesArgs,
    ConfigMap,
    ConfigMapVolumeSourceArgs,
    ContainerArgs,
    ContainerPortArgs,
    EmptyDirVolumeSourceArgs,
    EnvVarArgs,
    EnvVarSourceArgs,
    HostPathVolumeSourceArgs,
    HTTPGetActionArgs,
    Namespace,
    NodeAffinityArgs,
    NodeSelectorArgs,
    NodeSelectorRequirementArgs,
    NodeSelectorTermArgs,
    ObjectFieldSelectorArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    ResourceRequirementsArgs,
    SeccompProfileArgs,
    SecretKeySelectorArgs,
    SecurityContextArgs,
    ServiceAccount,
    TolerationArgs,
    VolumeArgs,
    VolumeMountArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, PolicyRuleArgs, RoleRefArgs, SubjectArgs

from palisade.fluentd.model import HEALTH_PORT, LABEL, SECRET_KEYS, Fluentd, secret_name, variable
from palisade.fluentd.rendering import CONFIGURATION, render_fluentd
from palisade.sizing import Resources
from palisade.validation import Section
from stacks.objects import LABELS, WHY_ANNOTATION, Component, metadata
from stacks.tables import read_table

NAMESPACE = "palisade-agents"
ROLE = "palisade-fluentd"
"""The name of its role for the whole cluster and of the binding."""
CONTROL_LABEL = "node-role.kubernetes.io/control-plane"
CHANGED_ANNOTATION = "palisade.dev/restarts-with"
"""A digest of the configuration: Fluentd reads it when it starts."""
_RBAC = "rbac.authorization.k8s.io"
_FOLDER = "/etc/fluentd"
_PODS, _CONTAINERS, _KUBERNETES = "/var/log/pods", "/var/log/containers", "/var/log/kubernetes"
_AGENTS = "/var/lib/palisade/agents"


class Amount(Section):
    """An amount of processor time and memory."""

    millicpu: int
    memory_mib: int

    @property
    def quantities(self) -> Mapping[str, str]:
        """As Kubernetes writes it."""
        return Resources(self.millicpu, self.memory_mib).quantities()


class PodResources(Section):
    """What a pod asks for, and what it may use."""

    requests: Amount
    limits: Amount


class Health(Section):
    """How the kubelet asks."""

    path: str
    period_seconds: int
    timeout_seconds: int
    failures: int
    startup_failures: int


class AuditTable(Section):
    """``stacks/data/audit.yaml``."""

    resources: PodResources
    termination_seconds: int
    health: Health


@dataclass(frozen=True)
class AuditArgs:
    """What Fluentd is made from."""

    after: Namespace
    """Its namespace, which must be there first."""
    model: Fluentd
    image: str
    """By its digest."""
    api_servers: Sequence[IPv4Network]
    api_server_port: int
    has_control_nodes: bool
    """Whether the control plane runs on nodes, which have the audit log of the API server."""


class Audit(Component):
    """Account, rights, configuration, DaemonSets and egress."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        self._args = args
        self._table = read_table("audit", AuditTable)
        self._text = render_fluentd(args.model)
        account = ServiceAccount(
            LABEL,
            metadata=metadata(LABEL, namespace=NAMESPACE, why="Who asks the API for the labels of pods"),
            automount_service_account_token=False,
            opts=self.child(args.after),
        )
        role = self._rights()
        configuration = ConfigMap(
            LABEL,
            metadata=metadata(LABEL, namespace=NAMESPACE, why="What Fluentd reads, and where it ships it to"),
            data={CONFIGURATION: self._text},
            opts=self.child(args.after),
        )
        daemons = {LABEL: False} | ({f"{LABEL}-control": True} if args.has_control_nodes else {})
        for daemon, control in daemons.items():
            DaemonSet(
                daemon,
                metadata=metadata(
                    daemon,
                    namespace=NAMESPACE,
                    why="Collects the records of control nodes, those of the API server among them"
                    if control
                    else "Collects the records of every node that is no control node",
                ),
                spec=DaemonSetSpecArgs(
                    revision_history_limit=5,
                    selector=LabelSelectorArgs(match_labels=_labels(daemon)),
                    template=self._pod(daemon, control=control),
                ),
                opts=self.child(args.after, account, role, configuration),
            )
        self._egress()
        self.register_outputs({"sinks": sorted(args.model.for_audit)})

    def _rights(self) -> ClusterRoleBinding:
        role = ClusterRole(
            ROLE,
            metadata=metadata(ROLE, why="Reads the names and labels of pods, to write them into records"),
            rules=[PolicyRuleArgs(api_groups=[""], resources=["pods", "namespaces"], verbs=["get", "list", "watch"])],
            opts=self.child(),
        )
        return ClusterRoleBinding(
            ROLE,
            metadata=metadata(ROLE, why="Only Fluentd has this right"),
            role_ref=RoleRefArgs(api_group=_RBAC, kind="ClusterRole", name=ROLE),
            subjects=[SubjectArgs(kind="ServiceAccount", name=LABEL, namespace=NAMESPACE)],
            opts=self.child(role),
        )

    def _pod(self, daemon: str, *, control: bool) -> PodTemplateSpecArgs:
        return PodTemplateSpecArgs(
            metadata=ObjectMetaArgs(
                labels={**LABELS, **_labels(daemon)},
                annotations={
                    WHY_ANNOTATION: "One on each node",
                    CHANGED_ANNOTATION: hashlib.sha256(self._text.encode()).hexdigest(),
                },
            ),
            spec=PodSpecArgs(
                service_account_name=LABEL,
                automount_service_account_token=True,
                enable_service_links=False,
                priority_class_name=NAMESPACE,
                termination_grace_period_seconds=self._table.termination_seconds,
                node_selector={CONTROL_LABEL: ""} if control else None,
                affinity=None if control else _not_on_control_nodes(),
                tolerations=[TolerationArgs(operator="Exists")],
                security_context=PodSecurityContextArgs(
                    # Logs and the node's own directory belong to root; every capability of root is dropped.
                    run_as_user=0,
                    run_as_group=0,
                    seccomp_profile=SeccompProfileArgs(type="RuntimeDefault"),
                ),
                containers=[self._container(control=control)],
                volumes=list(self._volumes(control=control)),
            ),
        )

    def _container(self, *, control: bool) -> ContainerArgs:
        health = self._table.health
        return ContainerArgs(
            name=LABEL,
            image=self._args.image,
            image_pull_policy="IfNotPresent",
            args=["--config", f"{_FOLDER}/{CONFIGURATION}", "--no-supervisor"],
            env=list(self._environment()),
            ports=[ContainerPortArgs(name="health", container_port=HEALTH_PORT, protocol="TCP")],
            resources=ResourceRequirementsArgs(
                requests=self._table.resources.requests.quantities, limits=self._table.resources.limits.quantities
            ),
            startup_probe=self._probe(health.startup_failures),
            readiness_probe=self._probe(health.failures),
            liveness_probe=self._probe(2 * health.failures),
            security_context=SecurityContextArgs(
                allow_privilege_escalation=False,
                read_only_root_filesystem=True,
                capabilities=CapabilitiesArgs(drop=["ALL"]),
            ),
            volume_mounts=[
                VolumeMountArgs(name=name, mount_path=path, read_only=read_only)
                for name, path, read_only in self._mounts(control=control)
            ],
        )

    def _probe(self, failures: int) -> ProbeArgs:
        health = self._table.health
        return ProbeArgs(
            http_get=HTTPGetActionArgs(path=health.path, port=HEALTH_PORT),
            period_seconds=health.period_seconds,
            timeout_seconds=health.timeout_seconds,
            failure_threshold=failures,
        )

    def _environment(self) -> Iterator[EnvVarArgs]:
        node = EnvVarSourceArgs(field_ref=ObjectFieldSelectorArgs(field_path="spec.nodeName"))
        yield EnvVarArgs(name="NODE_NAME", value_from=node)
        for sink in self._args.model.for_audit:
            for key in SECRET_KEYS[sink]:
                source = EnvVarSourceArgs(secret_key_ref=SecretKeySelectorArgs(name=secret_name(sink), key=key))
                yield EnvVarArgs(name=variable(sink, key), value_from=source)

    def _mounts(self, *, control: bool) -> Iterator[tuple[str, str, bool]]:
        yield "configuration", _FOLDER, True
        yield "pods", _PODS, True
        yield "containers", _CONTAINERS, True
        if control:
            yield "kubernetes", _KUBERNETES, True
        yield "state", _AGENTS, False
        yield "temporary", "/tmp", False  # noqa: S108 - a volume of the pod
        if self._args.model.sinks.private_authority:
            yield "authority", self._args.model.places.authority.rpartition("/")[0], True

    def _volumes(self, *, control: bool) -> Iterator[VolumeArgs]:
        yield VolumeArgs(name="configuration", config_map=ConfigMapVolumeSourceArgs(name=LABEL, default_mode=0o444))
        paths = {"pods": _PODS, "containers": _CONTAINERS, **({"kubernetes": _KUBERNETES} if control else {})}
        for name, path in paths.items():
            yield VolumeArgs(name=name, host_path=HostPathVolumeSourceArgs(path=path, type="Directory"))
        state = HostPathVolumeSourceArgs(path=_AGENTS, type="DirectoryOrCreate")
        yield VolumeArgs(name="state", host_path=state)
        yield VolumeArgs(name="temporary", empty_dir=EmptyDirVolumeSourceArgs(size_limit="256Mi"))
        authority = self._args.model.sinks.private_authority
        if authority:
            yield VolumeArgs(name="authority", config_map=ConfigMapVolumeSourceArgs(name=authority, default_mode=0o444))

    def _egress(self) -> None:
        for name, sink in self._args.model.for_audit.items():
            why = f"Only Fluentd may reach {name}"
            self._allow(f"{LABEL}-{name}-egress", why, sink.networks, sink.port)
        why = "Fluentd asks the API server for the labels of pods"
        self._allow(f"{LABEL}-api-egress", why, self._args.api_servers, self._args.api_server_port)

    def _allow(self, name: str, why: str, networks: Sequence[IPv4Network], port: int) -> None:
        peers = [NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=str(network))) for network in networks]
        rule = NetworkPolicyEgressRuleArgs(to=peers, ports=[NetworkPolicyPortArgs(protocol="TCP", port=port)])
        NetworkPolicy(
            name,
            metadata=metadata(name, namespace=NAMESPACE, why=why),
            spec=NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(match_labels={"app.kubernetes.io/name": LABEL}),
                policy_types=["Egress"],
                egress=[rule],
            ),
            opts=self.child(self._args.after),
        )


def _labels(daemon: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": LABEL, "app.kubernetes.io/component": daemon}


def _not_on_control_nodes() -> AffinityArgs:
    term = NodeSelectorTermArgs(
        match_expressions=[NodeSelectorRequirementArgs(key=CONTROL_LABEL, operator="DoesNotExist")]
    )
    required = NodeSelectorArgs(node_selector_terms=[term])
    return AffinityArgs(node_affinity=NodeAffinityArgs(required_during_scheduling_ignored_during_execution=required))
