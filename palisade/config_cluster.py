"""The sections of the fleet configuration about Kubernetes and about where Pulumi keeps its state."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, model_validator

from palisade.config_values import Address, Port, matches
from palisade.validation import Allowed, Problem, RefusedError, Section, refuse, whole_number

_LABEL_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_DOMAIN = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_OWN_KEYS = {"kubernetes.io/os", "kubernetes.io/arch", "karpenter.sh/capacity-type", "topology.kubernetes.io/zone"}
"""The labels that ``stacks/nodes.py`` asks for itself, beside those of ``instance_labels``."""
_OWN_DOMAIN = "palisade.dev/"


class Provisioner(StrEnum):
    """Who makes the registry nodes."""

    KARPENTER = "karpenter"
    """Karpenter, from a NodePool that Palisade declares."""
    EXISTING = "existing"
    """Nobody: they are the listed hosts of the group registry."""


class ControlPlane(StrEnum):
    """Who runs the control plane."""

    NODES = "nodes"
    """Nodes of the cluster (label ``node-role.kubernetes.io/control-plane``): pods on them read its logs."""
    MANAGED = "managed"
    """A cloud (EKS, GKE, AKS): no pod runs there, so the cloud's own logging has to collect its audit log."""


class CertManager(StrEnum):
    """Who runs cert-manager."""

    INSTALL = "install"
    """The stack installs it."""
    EXISTING = "existing"
    """The cluster has it already."""


class MemoryUnit(StrEnum):
    """How a cloud writes memory in the labels of its machines."""

    MEBIBYTES = "MiB"
    """A plain number of MiB: ``16384``."""
    QUANTITY = "Gi"
    """A Kubernetes quantity: ``16Gi``."""


class Operator(StrEnum):
    """How Karpenter compares a label of a machine with the values of a requirement."""

    IN = "In"
    """It is one of them."""
    NOT_IN = "NotIn"
    """It is none of them."""
    EXISTS = "Exists"
    """The machine has the label."""
    DOES_NOT_EXIST = "DoesNotExist"
    """The machine does not have the label."""
    GREATER = "Gt"
    """It is a greater number."""
    LESS = "Lt"
    """It is a smaller number."""


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    problems = [
        Problem((number,), f"{value} is named twice.", "each entry once")
        for number, value in enumerate(values)
        if value in values[:number]
    ]
    if not values:
        problems.append(Problem((), "The list is empty.", "at least one entry"))
    if problems:
        raise RefusedError(*problems)
    return values


ProvisionerChoice = Annotated[Provisioner, Allowed('"karpenter", "existing"', types=(str, Provisioner))]
ControlPlaneChoice = Annotated[ControlPlane, Allowed('"nodes", "managed"', types=(str, ControlPlane))]
CertManagerChoice = Annotated[CertManager, Allowed('"install", "existing"', types=(str, CertManager))]
MemoryUnitChoice = Annotated[
    MemoryUnit, Allowed('"MiB" (written 16384) or "Gi" (written 16Gi)', types=(str, MemoryUnit))
]
ContextName = Annotated[
    str, matches(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,252}", "the name of a context, as kubectl config get-contexts shows")
]
KubeconfigPath = Annotated[
    Path,
    Allowed(
        "the path of a kubeconfig file, absolute or from the home directory (~/.kube/config)",
        types=(str,),
        test=lambda path: str(path).startswith(("/", "~/")),
    ),
]
ZoneName = Annotated[
    str, matches(_LABEL_NAME, "the name of a zone, as the label topology.kubernetes.io/zone of nodes says it")
]
Zones = Annotated[tuple[ZoneName, ...], AfterValidator(_each_once)]
Addresses = Annotated[tuple[Address, ...], AfterValidator(_each_once)]
LabelKey = Annotated[
    str, matches(rf"{_DOMAIN}/{_LABEL_NAME}", "a node label with its domain, such as karpenter.k8s.aws/instance-cpu")
]
LabelValue = Annotated[
    str,
    matches(_LABEL_NAME, 'a value of a label in quotes: letters, digits, . _ and -, at most 63, such as "m" or "4"'),
]
OperatorChoice = Annotated[
    Operator, Allowed(", ".join(f'"{operator}"' for operator in Operator), types=(str, Operator))
]
ApiGroup = Annotated[str, matches(rf"{_DOMAIN}", "an API group such as karpenter.k8s.aws")]
Kind = Annotated[str, matches(r"[A-Z][A-Za-z0-9]{0,62}", "a kind such as EC2NodeClass")]
ObjectName = Annotated[str, matches(_DOMAIN, "the name of an object: lower-case letters, digits, . and -")]
SharedMillicpu = Annotated[int, whole_number(0, 1_000, "thousandths of a vCPU")]
SharedMebibytes = Annotated[int, whole_number(0, 4_096, "MiB")]
ExpiryHours = Annotated[int, whole_number(24, 2_160, "hours")]
BackendUrl = Annotated[
    str,
    matches(
        r"(?:file|s3|gs|azblob|https)://\S+",
        "a URL of file://, s3://, gs://, azblob:// or https://",
        remedy="see docs/state.md; a password never stands in it",
    ),
]
SecretsProvider = Annotated[
    str,
    matches(
        r"passphrase|(?:hashivault|awskms|gcpkms|azurekeyvault)://\S+",
        "passphrase, hashivault://KEY, awskms://KEY, gcpkms://KEY or azurekeyvault://KEY",
    ),
]


class ApiServer(Section):
    """Where the Kubernetes API is, as pods reach it after the service address was translated."""

    addresses: Addresses
    """The addresses of the API servers; network policies and the hosts' firewalls admit these and no others."""
    port: Port = 6443
    """Their TCP port."""


class NodeClass(Section):
    """The object of the cloud's Karpenter provider that says which image, network and role a node gets."""

    group: ApiGroup
    """The API group of that object."""
    kind: Kind
    """The kind of that object."""
    name: ObjectName
    """The name of that object; it exists before the stack is built."""


class InstanceLabels(Section):
    """How the cloud's Karpenter provider labels its machines with their size."""

    cpu: LabelKey
    """The label that holds the number of vCPU."""
    memory: LabelKey
    """The label that holds the memory."""
    memory_unit: MemoryUnitChoice = MemoryUnit.MEBIBYTES
    """How memory is written there."""


class InstanceRequirement(Section):
    """What a machine must be beside what Palisade asks for itself, in the words of a Karpenter NodePool."""

    key: LabelKey
    """The label of the machine."""
    operator: OperatorChoice
    """How its value is compared."""
    values: tuple[LabelValue, ...] = ()
    """With In and NotIn at least one, with Gt and Lt one whole number, with Exists and DoesNotExist none."""

    @model_validator(mode="after")
    def _values_fit_the_operator(self) -> InstanceRequirement:
        if self.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            fits, allowed = not self.values, "no values"
        elif self.operator in (Operator.GREATER, Operator.LESS):
            fits, allowed = len(self.values) == 1 and self.values[0].isdecimal(), "one whole number in quotes"
        else:
            fits, allowed = bool(self.values), "at least one value"
        if not fits:
            what = f"{self.operator} does not take the values {', '.join(self.values) or '(none)'}."
            refuse([Problem(("values",), what, allowed)])
        return self


class Share(Section):
    """A part of a registry node that is not the registry's; two of them leave it at least half of the node."""

    millicpu: SharedMillicpu
    """Processor time, in thousandths of a vCPU."""
    memory_mib: SharedMebibytes
    """Memory, in MiB."""


class Cluster(Section):
    """The Kubernetes cluster that the stack builds on; without this section the stack declares nothing in one."""

    kubeconfig: KubeconfigPath | None = None
    """How the cluster is reached. Default: what KUBECONFIG names; in a local fleet, the fleet's own."""
    context: ContextName
    """The context to use, always named, so that nothing is built in the cluster that happens to be selected."""
    provisioner: ProvisionerChoice
    """Who makes the registry nodes: Karpenter, or nobody because they are the listed registry hosts."""
    zones: Zones
    """The zones that registry nodes are spread over."""
    api_server: ApiServer
    """Where pods reach the Kubernetes API."""
    control_plane: ControlPlaneChoice = ControlPlane.NODES
    """Whether the control plane runs on nodes of the cluster, where Fluentd collects the API server's audit log, or is
    managed by a cloud, whose own logging has to collect it."""
    node_class: NodeClass | None = None
    """What Karpenter makes nodes from; needed with karpenter, meaningless otherwise."""
    instance_labels: InstanceLabels | None = None
    """How to ask for machines of 4 vCPU and 16 GiB; needed with karpenter, meaningless otherwise."""
    instance_requirements: tuple[InstanceRequirement, ...] = ()
    """What else the machines must be, such as a family that is not burstable; meaningless without karpenter."""
    node_reserved: Share = Share(millicpu=200, memory_mib=2304)
    """What a registry node cannot give to pods: hypervisor, kernel, kubelet, eviction threshold."""
    daemonsets: Share = Share(millicpu=400, memory_mib=1024)
    """What the DaemonSets on a registry node ask for together: log agent, network, proxy."""
    cert_manager: CertManagerChoice = CertManager.INSTALL
    """Whether the stack installs cert-manager, or the cluster has one that can use ClusterIssuers of type Vault."""
    node_expiry_hours: ExpiryHours = 720
    """After this many hours Karpenter replaces a node by a fresh one."""

    @model_validator(mode="after")
    def _karpenter_knows_what_to_make(self) -> Cluster:
        of_karpenter = ("node_class", "instance_labels")
        if self.provisioner is Provisioner.KARPENTER:
            refuse(
                Problem((name,), "The provisioner karpenter needs this key.", f"a section {name}")
                for name in of_karpenter
                if getattr(self, name) is None
            )
        else:
            refuse(
                Problem((name,), "Only the provisioner karpenter uses this key.", f"no {name} with existing nodes")
                for name in (*of_karpenter, "instance_requirements", "node_expiry_hours")
                if name in self.model_fields_set and getattr(self, name) is not None
            )
        return self

    @model_validator(mode="after")
    def _asks_for_nothing_twice(self) -> Cluster:
        labels = self.instance_labels
        taken = {*_OWN_KEYS, *((labels.cpu, labels.memory) if labels else ())}
        refuse(
            Problem(
                ("instance_requirements", number, "key"),
                f"Palisade says itself what {requirement.key} must be.",
                "any other label of the machine",
            )
            for number, requirement in enumerate(self.instance_requirements)
            if requirement.key in taken or requirement.key.startswith(_OWN_DOMAIN)
        )
        return self


class State(Section):
    """Where Pulumi keeps the state of the stack, and what encrypts secrets in it."""

    backend: BackendUrl | None = None
    """Default: where pulumi is logged in; in a local fleet, files in the user's state directory."""
    secrets_provider: SecretsProvider = "passphrase"
    """What encrypts secret values in the state."""
