"""What must hold between the hosts of an environment and its other sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from palisade.config_sections import Edge, FleetNetworkSettings, Host, Registry, Traffic
from palisade.config_values import is_private
from palisade.fleet import POD_SUBNET_PREFIX, HostGroup
from palisade.sizing import scale_for
from palisade.validation import Problem


def not_private(networks: Iterable[IPv4Network], *path: str) -> Iterator[Problem]:
    """A problem for each network that clients come from although exposure is internal; ``path`` is where they stand."""
    for number, network in enumerate(networks):
        if not is_private(network):
            what = f"{network} is not private, and exposure is internal."
            remedy = "use exposure: dmz if clients outside are meant to reach the registry"
            yield Problem((*path, number), what, "a private network", remedy)


def repeated(hosts: tuple[Host, ...], attribute: str) -> Iterator[Problem]:
    """A problem for each host whose name, or whose address, an earlier one has."""
    first: dict[object, int] = {}
    for number, host in enumerate(hosts):
        value = getattr(host, attribute)
        if value in first:
            what = f"{value} is already the {attribute} of hosts.{first[value]}."
            yield Problem((number, attribute), what, f"a different {attribute} for each host")
        first.setdefault(value, number)


def misplaced(hosts: tuple[Host, ...], networks: FleetNetworkSettings | None) -> Iterator[Problem]:
    """A problem for each host whose address is not one of a host in the fleet's network."""
    if networks is None:
        return
    network = networks.fleet
    reserved = (network.network_address, network.broadcast_address)
    for number, host in enumerate(hosts):
        if host.address not in network or host.address in reserved:
            what = f"{host.address} is not the address of a host in networks.fleet."
            yield Problem((number, "address"), what, f"an address of a host in {network}")


def second_databases(hosts: tuple[Host, ...]) -> Iterator[Problem]:
    """A problem for each database host after the first: nothing copies what one server takes to another."""
    databases = [number for number, host in enumerate(hosts) if host.group is HostGroup.DATABASE]
    for number in databases[1:]:
        what = f"{hosts[databases[0]].name} is the database host already, and the two would hold different data."
        remedy = "keep the one that has the registry's data: there is no replication yet (docs/data.md)"
        yield Problem((number, "group"), what, "one host of the group database", remedy)


def of_cluster(hosts: tuple[Host, ...], networks: FleetNetworkSettings | None, *, local: bool) -> Iterator[Problem]:
    """What is wrong with the control host, and with the networks that its cluster needs."""
    control = [number for number, host in enumerate(hosts) if host.group is HostGroup.CONTROL]
    if not control:
        return
    if not local:
        what = f"{hosts[control[0]].name} is a control host, and only a local fleet makes its own cluster."
        yield Problem((control[0], "group"), what, "no host of the group control", "bring your own cluster")
        return
    for number in control[1:]:
        what = f"{hosts[control[0]].name} is the control host already."
        yield Problem((number, "group"), what, "one host of the group control")
    if networks is None:
        return
    if missing := [f"networks.{name}" for name in ("pods", "services") if getattr(networks, name) is None]:
        what = f"{hosts[control[0]].name} is a control host, and there is no {' and no '.join(missing)}."
        yield Problem((control[0], "group"), what, "networks.pods and networks.services, for a cluster")
    nodes = sum(host.group is HostGroup.REGISTRY for host in hosts)
    if networks.pods is not None and nodes > (room := 2 ** (POD_SUBNET_PREFIX - networks.pods.prefixlen)):
        what = f"networks.pods, {networks.pods}, is too small for {nodes} registry hosts."
        allowed = f"at most {room} hosts of the group registry: each needs a /{POD_SUBNET_PREFIX} of networks.pods"
        yield Problem((), what, allowed)


def too_few(hosts: tuple[Host, ...], traffic: Traffic, registry: Registry) -> Iterator[Problem]:
    """The problem of a cluster whose listed nodes do not carry the peak."""
    listed = sum(host.group is HostGroup.REGISTRY for host in hosts)
    needed = scale_for(traffic.peak_rps, registry.minimum_nodes).nodes
    if listed < needed:
        yield Problem(
            ("provisioner",),
            f"{listed} registry hosts are listed, and {traffic.peak_rps:,} requests per second need {needed}.",
            f'"karpenter", or at least {needed} hosts of the group registry',
            "list more hosts, or let Karpenter make the nodes",
        )


def closed(networks: FleetNetworkSettings | None, edge: Edge | None) -> Iterator[Problem]:
    """What the firewall of existing nodes would drop because nothing says where it comes from or goes to."""
    if networks is not None and networks.pods is None:
        what = "The registry hosts are nodes, and there is no networks.pods: their firewall would drop all of pods."
        remedy = "name the addresses of the cluster's pods there"
        yield Problem(("provisioner",), what, "networks.pods with existing nodes", remedy)
    if edge is not None and edge.load_balancer is None:
        what = "The registry hosts are nodes, and there is no edge.load_balancer: their firewall would drop every call."
        remedy = "say there what stands in front of the nodes; without a load balancer, sends_to: host-addresses"
        yield Problem(("provisioner",), what, "edge.load_balancer with an edge and existing nodes", remedy)
