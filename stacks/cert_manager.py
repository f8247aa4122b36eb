"""cert-manager, where the configuration says that the stack installs it: its kinds, its programs, what they may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi
import yaml
from pulumi_kubernetes.admissionregistration.v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from pulumi_kubernetes.apiextensions.v1 import CustomResourceDefinition
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Namespace, Service, ServiceAccount
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding

from palisade.validation import Section
from stacks.objects import REGISTRY_ROLE, ROLE_LABEL, WHY_ANNOTATION, Component, metadata
from stacks.tables import DATA, read_table

NAMESPACE = "palisade-system"
_FOLDER = DATA / "cert_manager"
_NAME_LABEL = "app.kubernetes.io/name"
_RBAC = "rbac.authorization.k8s.io"
_USER = 65532
_LISTENING_SECONDS = 2
"""How long a new pod works before it counts: the API server and the service proxies hear of it in less."""


class Right(Section):
    """What a program may do with some resources."""

    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    verbs: tuple[str, ...]
    why: str

    def rule(self) -> dict[str, Any]:
        """As Kubernetes writes it."""
        parts = {"apiGroups": self.groups, "resources": self.resources, "verbs": self.verbs}
        return {key: list(value) for key, value in {**parts, "resourceNames": self.names}.items() if value}


class Rights(Section):
    """What a program may do in the whole cluster, and in single namespaces."""

    cluster: tuple[Right, ...]
    namespaces: Mapping[str, tuple[Right, ...]]


class Probe(Section):
    """How the kubelet asks whether a program lives and works."""

    port: int
    alive: str
    ready: str


class Memory(Section):
    """MiB."""

    request: int
    limit: int


class ProgramRow(Section):
    """One program of cert-manager."""

    name: str
    why: str
    command: str
    arguments: tuple[str, ...]
    port: int | None = None
    """The port on which it is asked by others than the kubelet."""
    replicas: int
    strategy: Literal["Recreate", "RollingUpdate"]
    probe: Probe
    memory_mib: Memory
    rights: Rights


class Hook(Section):
    """What the API server asks the webhook, and where."""

    path: str
    why: str
    rules: tuple[Mapping[str, Any], ...]


class WebhookRow(Section):
    """The configurations of the webhook."""

    program: str
    timeout_seconds: int
    authority_annotation: Mapping[str, str]
    mutating: Hook
    validating: Hook


class ProgramTable(Section):
    """``stacks/data/cert_manager/programs.yaml``."""

    programs: tuple[ProgramRow, ...]
    webhook: WebhookRow


@dataclass(frozen=True)
class CertManagerArgs:
    """With what it runs."""

    image: str
    """The image of all its programs, with its digest."""
    namespaces: Mapping[str, Namespace]
    """The namespaces of the platform, by name."""
    beside_the_registry: bool
    """Whether its pods may run on registry nodes: in a local fleet there are no others."""


class CertManager(Component):
    """The programs of cert-manager; :attr:`ready` is what certificates wait for."""

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        self._args = args
        table = read_table("programs", ProgramTable, directory=_FOLDER)
        kinds = [self._definition(each) for each in definitions()]
        hooks = self._configurations(table.webhook)
        self.ready: tuple[pulumi.Resource, ...] = tuple(
            self._program(row, [*kinds, *hooks, *self._rights(row)]) for row in table.programs
        )
        """When all of these are available, certificates can be declared."""
        self.register_outputs({"programs": [row.name for row in table.programs]})

    def _definition(self, declared: Mapping[str, Any]) -> pulumi.Resource:
        name = declared["metadata"]["name"]
        why = "A kind of cert-manager, which issues only from Vault here"
        return CustomResourceDefinition(
            name, metadata=metadata(name, why=why), spec=declared["spec"], opts=self.child()
        )

    def _rights(self, row: ProgramRow) -> list[pulumi.Resource]:
        account = ServiceAccount(
            row.name,
            metadata=metadata(row.name, namespace=NAMESPACE, why=row.why),
            automount_service_account_token=False,
            opts=self._in(NAMESPACE),
        )
        subjects: Any = [{"kind": "ServiceAccount", "name": row.name, "namespace": NAMESPACE}]
        role: Any = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"palisade-{row.name}"}
        why = f"What {row.name} may do"
        made: list[pulumi.Resource] = [
            account,
            ClusterRole(
                role["name"],
                metadata=metadata(role["name"], why=why),
                rules=_rules(row.rights.cluster),
                opts=self.child(),
            ),
            ClusterRoleBinding(
                role["name"],
                metadata=metadata(role["name"], why=why),
                role_ref=role,
                subjects=subjects,
                opts=self.child(),
            ),
        ]
        for namespace, rights in row.rights.namespaces.items():
            own: Any = {"apiGroup": _RBAC, "kind": "Role", "name": row.name}
            made += [
                Role(
                    f"{namespace}/{row.name}",
                    metadata=metadata(row.name, namespace=namespace, why=why),
                    rules=_rules(rights),
                    opts=self._in(namespace),
                ),
                RoleBinding(
                    f"{namespace}/{row.name}",
                    metadata=metadata(row.name, namespace=namespace, why=why),
                    role_ref=own,
                    subjects=subjects,
                    opts=self._in(namespace),
                ),
            ]
        return made

    def _configurations(self, row: WebhookRow) -> list[pulumi.Resource]:
        kinds = (
            (MutatingWebhookConfiguration, "mutating", row.mutating),
            (ValidatingWebhookConfiguration, "validating", row.validating),
        )
        return [
            kind(
                f"{row.program}-{name}",
                metadata={
                    "name": row.program,
                    "labels": metadata(row.program, why=hook.why).labels,
                    "annotations": {WHY_ANNOTATION: hook.why, **row.authority_annotation},
                },
                webhooks=[_webhook(row, hook)],
                opts=self.child(),
            )
            for kind, name, hook in kinds
        ]

    def _program(self, row: ProgramRow, after: list[pulumi.Resource]) -> pulumi.Resource:
        selector = {_NAME_LABEL: row.name}
        placed = metadata(row.name, namespace=NAMESPACE, why=row.why, labels=selector)
        if row.port is not None:
            ports: Any = [{"name": "https", "port": 443, "targetPort": row.port}]
            Service(
                row.name,
                metadata=placed,
                spec={"type": "ClusterIP", "selector": selector, "ports": ports},
                opts=self._in(NAMESPACE),
            )
        if row.replicas > 1:
            room: Any = {"maxUnavailable": 1, "selector": {"matchLabels": selector}}
            PodDisruptionBudget(
                row.name,
                metadata=placed,
                spec=room,
                opts=self._in(NAMESPACE),
            )
        spec: Any = {
            "replicas": row.replicas,
            "revisionHistoryLimit": 2,
            "minReadySeconds": _LISTENING_SECONDS,
            "strategy": {"type": row.strategy},
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": {**selector}}, "spec": self._pod(row)},
        }
        opts = pulumi.ResourceOptions(parent=self, depends_on=[self._args.namespaces[NAMESPACE], *after])
        return Deployment(row.name, metadata=placed, spec=spec, opts=opts)

    def _pod(self, row: ProgramRow) -> dict[str, Any]:
        pod: dict[str, Any] = {
            "serviceAccountName": row.name,
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "priorityClassName": NAMESPACE,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(row, self._args.image)],
        }
        if row.replicas > 1:
            pod["topologySpreadConstraints"] = [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {_NAME_LABEL: row.name}},
                }
            ]
        if self._args.beside_the_registry:
            pod["tolerations"] = [
                {"key": ROLE_LABEL, "operator": "Equal", "value": REGISTRY_ROLE, "effect": "NoSchedule"}
            ]
        return pod

    def _in(self, namespace: str) -> pulumi.ResourceOptions:
        return self.child(self._args.namespaces[namespace])


def definitions() -> list[Mapping[str, Any]]:
    """The kinds of cert-manager (``stacks/data/cert_manager/definitions.yaml``)."""
    return list(yaml.safe_load_all((_FOLDER / "definitions.yaml").read_text(encoding="utf-8")))


def _rules(rights: tuple[Right, ...]) -> Any:
    return [right.rule() for right in rights]


def _webhook(row: WebhookRow, hook: Hook) -> Any:
    return {
        "name": "webhook.cert-manager.io",
        "admissionReviewVersions": ["v1"],
        "matchPolicy": "Equivalent",
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": row.timeout_seconds,
        "rules": [dict(rule) for rule in hook.rules],
        "clientConfig": {"service": {"name": row.program, "namespace": NAMESPACE, "path": hook.path, "port": 443}},
    }


def _container(row: ProgramRow, image: str) -> dict[str, Any]:
    ports = [{"name": "health", "containerPort": row.probe.port, "protocol": "TCP"}]
    if row.port is not None:
        ports.append({"name": "https", "containerPort": row.port, "protocol": "TCP"})
    return {
        "name": row.name,
        "image": image,
        "args": [row.command, f"--namespace={NAMESPACE}", f"--health-port={row.probe.port}", *row.arguments],
        "ports": ports,
        "readinessProbe": {"httpGet": {"path": row.probe.ready, "port": "health"}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": row.probe.alive, "port": "health"},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "failureThreshold": 6,
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": f"{row.memory_mib.request}Mi"},
            "limits": {"cpu": "500m", "memory": f"{row.memory_mib.limit}Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
