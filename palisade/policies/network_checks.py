"""The policy pack's checks of what is reached from where. Each yields what breaks the rule, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from palisade.policies.manifests import Manifest, containers, entries, name, section
from palisade.policies.rules import Rule
from palisade.policies.settings import SETTINGS_OBJECT, PolicySettings


def database_sources(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Ways to the database's port from or to networks that are not private."""
    if manifest.get("kind") == "ConfigMap" and name(manifest) == SETTINGS_OBJECT:
        sources = str(section(manifest, "data").get("database_allowed_sources", "")).split(",")
        yield from (
            f"database_allowed_sources: {source!r} is not a private network"
            for source in sources
            if not _is_private(source, rule)
        )
    if manifest.get("kind") != "NetworkPolicy":
        return
    for direction, peers_key in (("ingress", "from"), ("egress", "to")):
        for number, allowance in enumerate(entries(manifest, "spec", direction)):
            if not _concerns(entries(allowance, "ports"), int(rule.parameters["port"])):
                continue
            peers = entries(allowance, peers_key)
            if not peers:
                yield f"{direction}[{number}] is for every address and for the port of the database"
            for peer in peers:
                block = section(peer, "ipBlock").get("cidr")
                if block is not None and not _is_private(str(block), rule):
                    yield f"{direction}[{number}] is for {block} and for the port of the database"


def _concerns(ports: Sequence[Manifest], wanted: int) -> bool:
    """Whether an allowance holds the port: no list means every port, and a name can mean any port."""
    return not ports or any(
        port.get("protocol", "TCP") == "TCP"
        and (
            not isinstance(port.get("port"), (int, float))
            or port["port"] <= wanted <= port.get("endPort", port["port"])
        )
        for port in ports
    )


def _is_private(text: str, rule: Rule) -> bool:
    if not re.fullmatch(r"[0-9a-fA-F.:]+/[0-9]{1,3}", text):
        return False
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False
    return any(_within(network, ip_network(private)) for private in rule.parameters["private_networks"])


def _within(network: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network) and isinstance(outer, IPv4Network):
        return network.subnet_of(outer)
    return isinstance(network, IPv6Network) and isinstance(outer, IPv6Network) and network.subnet_of(outer)


def published_ports(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Ports that can be reached from outside the cluster and are not meant to be."""
    allowed = set(rule.parameters["ports"])
    for container in containers(manifest):
        for port in entries(container, "ports"):
            if port.get("hostPort") and not _is_allowed(port.get("hostPort"), port, allowed):
                yield f"container {container.get('name')} has the hostPort {port['hostPort']:.0f}"
    kind = manifest.get("kind")
    if kind == "Service":
        yield from _services(manifest, allowed)
    if kind == "Ingress":
        yield from _ingresses(manifest)
    if kind == "Gateway":
        for listener in entries(manifest, "spec", "listeners"):
            if listener.get("port") not in allowed:
                yield f"listener {listener.get('name')} is on port {listener.get('port'):.0f}"


def _is_allowed(published: object, port: Manifest, allowed: set[int]) -> bool:
    return published in allowed and port.get("protocol", "TCP") == "TCP"


def _services(manifest: Manifest, allowed: set[int]) -> Iterator[str]:
    spec = section(manifest, "spec")
    is_balanced = spec.get("type") == "LoadBalancer" or bool(entries(spec, "externalIPs"))
    for port in entries(spec, "ports"):
        label = f"port {port.get('port'):.0f}/{port.get('protocol', 'TCP')}"
        if is_balanced and not _is_allowed(port.get("port"), port, allowed):
            yield f"{label} is published"
        if spec.get("type") == "NodePort" and not _is_allowed(port.get("nodePort"), port, allowed):
            yield f"{label} is published on a port of every node"


def _ingresses(manifest: Manifest) -> Iterator[str]:
    covered = {host for entry in entries(manifest, "spec", "tls") for host in entries(entry, "hosts")}
    for entry in entries(manifest, "spec", "rules"):
        if entry.get("host", "*") not in covered:
            yield f"host {entry.get('host', '*')} has no TLS and is published on port 80"
    if "defaultBackend" in section(manifest, "spec"):
        yield "defaultBackend is for every host and is published on port 80"
