"""Who may talk to whom: nothing and nobody, both ways, except what ``stacks/data/network_allowances.yaml`` names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking.v1 import (
    IPBlockArgs,
    NetworkPolicy,
    NetworkPolicyEgressRuleArgs,
    NetworkPolicyIngressRuleArgs,
    NetworkPolicyPeerArgs,
    NetworkPolicyPortArgs,
    NetworkPolicySpecArgs,
)
from pydantic import Field, model_validator

from palisade.validation import Problem, Section, refuse
from stacks.objects import Component, metadata
from stacks.tables import read_table

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""Set by the API server on every namespace; nobody can take another namespace's name by a label."""
UNUSED_NAMESPACE = "default"
"""Nothing of the platform is in it, and it cannot be removed."""


class Peer(Section):
    """One side of an allowance: pods of a namespace, or a network of the configuration."""

    namespace: str | None = None
    pods: Mapping[str, str] = {}
    """The labels of the pods; none means every pod of the namespace."""
    network: (
        Literal["clients", "load_balancers", "api_servers", "databases", "vaults", "issuers", "upstreams"] | None
    ) = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Peer:
        if (self.namespace is None) is (self.network is None) or (self.network and self.pods):
            refuse([Problem((), "A peer is pods or a network.", "namespace (with or without pods), or network")])
        return self


class AllowedPort(Section):
    """One port."""

    protocol: Literal["TCP", "UDP"]
    port: int | Literal["api_server", "vault", "issuer", "upstreams"]
    """A number, the port of the API server, Vault or the issuer in the configuration, or those of the services."""


class Allowance(Section):
    """What may be said, by whom to whom."""

    name: str
    why: str
    sources: tuple[Peer, ...] = Field(alias="from")
    to: Peer
    ports: tuple[AllowedPort, ...]
    only_local: bool = False
    """Whether it is for what only a local fleet has."""


class AllowanceTable(Section):
    """``stacks/data/network_allowances.yaml``."""

    allowances: tuple[Allowance, ...]


@dataclass(frozen=True)
class NetworkArgs:
    """What the words of the table stand for."""

    namespaces: Mapping[str, Namespace]
    """The namespaces in which everything is denied, by name."""
    networks: Mapping[str, tuple[IPv4Network, ...]]
    """The addresses of each network that the table names; none for what the environment does not have."""
    ports: Mapping[str, tuple[int, ...]]
    """The numbers of each port that the table names by a word."""
    is_local: bool = False


class Network(Component):
    """Default deny both ways in every namespace, and the named allowances."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        self._args = args
        for namespace in args.namespaces:
            self._policy(
                "default-deny",
                namespace,
                why="What is not allowed by name is denied",
                spec=NetworkPolicySpecArgs(pod_selector=LabelSelectorArgs(), policy_types=["Ingress", "Egress"]),
            )
        rows = read_table("network_allowances", AllowanceTable).allowances
        allowances = [row for row in rows if args.is_local or not row.only_local]
        for allowance in allowances:
            for source in allowance.sources:
                self._allow_out(allowance, source)
            self._allow_in(allowance)
        self._close_unused()
        self.register_outputs({"allowances": [allowance.name for allowance in allowances]})

    def _allow_out(self, allowance: Allowance, source: Peer) -> None:
        if source.namespace is None or source.namespace not in self._args.namespaces:
            return
        peers, ports = list(self._peers(allowance.to)), list(self._ports(allowance))
        if not peers or not ports:  # an empty list would mean everybody, or every port
            return
        rule = NetworkPolicyEgressRuleArgs(to=peers, ports=ports)
        self._policy(
            f"{allowance.name}-egress",
            source.namespace,
            why=allowance.why,
            spec=NetworkPolicySpecArgs(pod_selector=_pods(source), policy_types=["Egress"], egress=[rule]),
        )

    def _allow_in(self, allowance: Allowance) -> None:
        target = allowance.to
        if target.namespace is None or target.namespace not in self._args.namespaces:
            return
        peers = [peer for source in allowance.sources for peer in self._peers(source)]
        ports = list(self._ports(allowance))
        if not peers or not ports:
            return
        rule = NetworkPolicyIngressRuleArgs(from_=peers, ports=ports)
        self._policy(
            f"{allowance.name}-ingress",
            target.namespace,
            why=allowance.why,
            spec=NetworkPolicySpecArgs(pod_selector=_pods(target), policy_types=["Ingress"], ingress=[rule]),
        )

    def _close_unused(self) -> None:
        """Keep pods of the namespace that nobody uses among themselves: off databases, Vault and everything else."""
        among_themselves = NetworkPolicyPeerArgs(pod_selector=LabelSelectorArgs())
        NetworkPolicy(
            f"{UNUSED_NAMESPACE}/among-themselves",
            metadata=metadata(
                "among-themselves",
                namespace=UNUSED_NAMESPACE,
                why="Nothing of the platform runs here; what somebody starts all the same reaches nobody else",
            ),
            spec=NetworkPolicySpecArgs(
                pod_selector=LabelSelectorArgs(),
                policy_types=["Egress"],
                egress=[NetworkPolicyEgressRuleArgs(to=[among_themselves])],
            ),
            opts=self.child(),
        )

    def _policy(self, name: str, namespace: str, *, why: str, spec: NetworkPolicySpecArgs) -> None:
        NetworkPolicy(
            f"{namespace}/{name}",
            metadata=metadata(name, namespace=namespace, why=why),
            spec=spec,
            opts=self.child(self._args.namespaces[namespace]),
        )

    def _peers(self, peer: Peer) -> Iterator[NetworkPolicyPeerArgs]:
        if peer.network is not None:
            for block in self._args.networks[peer.network]:
                yield NetworkPolicyPeerArgs(ip_block=IPBlockArgs(cidr=str(block)))
            return
        yield NetworkPolicyPeerArgs(
            namespace_selector=LabelSelectorArgs(match_labels={NAMESPACE_NAME_LABEL: str(peer.namespace)}),
            pod_selector=_pods(peer) if peer.pods else None,
        )

    def _ports(self, allowance: Allowance) -> Iterator[NetworkPolicyPortArgs]:
        for port in allowance.ports:
            for number in (port.port,) if isinstance(port.port, int) else self._args.ports[port.port]:
                yield NetworkPolicyPortArgs(protocol=port.protocol, port=number)


def _pods(peer: Peer) -> LabelSelectorArgs:
    return LabelSelectorArgs(match_labels=dict(peer.pods)) if peer.pods else LabelSelectorArgs()
