"""The section of the fleet configuration about what stands between clients and the registry nodes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import model_validator

from palisade.config_values import Address, Network
from palisade.fleet import PUBLISHED_PORTS, FleetLoadBalancer
from palisade.validation import Allowed, Problem, Section, refuse


class SendsTo(StrEnum):
    """Where connections of clients arrive: what their packets are addressed to when a node sees them."""

    NODE_PORTS = "node-ports"
    """The pinned node ports of the nodes' own addresses."""
    PODS = "pods"
    """Registry pods (targets by address)."""
    SERVICE_ADDRESS = "service-address"
    """The address that something in the cluster gives the Service: MetalLB, kube-vip, a cloud's pass-through."""
    HOST_ADDRESSES = "host-addresses"
    """Addresses that nodes have without the cluster: their own, or what keepalived moves between them."""


SendsToChoice = Annotated[
    SendsTo, Allowed('"node-ports", "pods", "service-address", "host-addresses"', types=(str, SendsTo))
]
_FIRST_NODE_PORT, _LAST_NODE_PORT = 30_000, 32_767
"""What an API server gives unless it is told otherwise (kube-apiserver, --service-node-port-range)."""
NodePort = Annotated[
    int,
    Allowed(
        f"a node port from {_FIRST_NODE_PORT:,} to {_LAST_NODE_PORT:,}",
        types=(int,),
        test=lambda port: _FIRST_NODE_PORT <= port <= _LAST_NODE_PORT,
    ),
]
_NEEDED = {
    SendsTo.NODE_PORTS: ("networks", "node_ports"),
    SendsTo.PODS: ("networks",),
    SendsTo.SERVICE_ADDRESS: ("addresses",),
    SendsTo.HOST_ADDRESSES: ("addresses",),
}
_POSSIBLE = {
    SendsTo.NODE_PORTS: ("health_check_port",),
    SendsTo.PODS: (),
    SendsTo.SERVICE_ADDRESS: ("networks", "health_check_port"),
    SendsTo.HOST_ADDRESSES: ("networks", "health_check_port"),
}


class NodePorts(Section):
    """On which port of the nodes each port of the registry is reached."""

    apis: NodePort
    """Leads to 443, the APIs."""
    management: NodePort
    """Leads to 8443, the registry's management."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them."""
        return (self.apis, self.management)


class LoadBalancer(Section):
    """What stands in front of the registry nodes; the Service and the nodes' firewalls are made for it."""

    sends_to: SendsToChoice
    """What it sends connections to; the other keys follow from it."""
    networks: tuple[Network, ...] = ()
    """The addresses that its connections and its probes come from; those of clients too, if it keeps them."""
    node_ports: NodePorts | None = None
    """The node ports, pinned in the Service."""
    addresses: tuple[Address, ...] = ()
    """The addresses that clients connect to and that end on the nodes."""
    health_check_port: NodePort | None = None
    """Where it asks a node whether it has a registry pod (HTTP), pinned in the Service as healthCheckNodePort."""

    @model_validator(mode="after")
    def _keys_fit(self) -> LoadBalancer:
        needed, useful = _NEEDED[self.sends_to], (*_NEEDED[self.sends_to], *_POSSIBLE[self.sends_to])
        keys = [name for name in type(self).model_fields if name != "sends_to"]
        given = [name for name in keys if getattr(self, name) not in (None, ())]
        allowed = f"with {self.sends_to}: {', '.join(useful)}"
        missing = [Problem((), f"There is no {name}.", allowed) for name in needed if name not in given]
        useless = [Problem((name,), "Nobody would use this key.", allowed) for name in given if name not in useful]
        refuse([*missing, *useless])
        self._values_fit()
        return self

    def _values_fit(self) -> None:
        if self.sends_to is SendsTo.SERVICE_ADDRESS and len(self.addresses) > 1:
            refuse([Problem(("addresses", 1), "A Service asks for one address.", "one address with service-address")])
        # Packets to an address keep that of their client: networks are for probes there, and for nothing else.
        if self.addresses and bool(self.networks) is (self.health_check_port is None):
            what = "One of networks and health_check_port is of no use without the other: the first asks at the second."
            refuse([Problem((), what, f"both or neither with {self.sends_to}")])
        ports = [*(self.node_ports.numbers if self.node_ports else ()), self.health_check_port]
        if len(set(ports)) < len(ports):
            refuse([Problem((), "A node port is named twice.", "a port of its own for each of them")])

    @property
    def senders(self) -> tuple[Network, ...]:
        """From where pods are sent connections besides those that have a client's address."""
        return self.networks if self.sends_to in {SendsTo.NODE_PORTS, SendsTo.PODS} else ()

    def fleet(self) -> FleetLoadBalancer:
        """What the hosts have to know of it."""
        return FleetLoadBalancer(
            networks=self.networks,
            node_ports=self.node_ports.numbers if self.node_ports else (),
            pod_ports=PUBLISHED_PORTS if self.sends_to is SendsTo.PODS else (),
            addresses=self.addresses,
            health_check_port=self.health_check_port,
        )
