"""What Network Policies let through, in words that a person can compare with a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The API server sets it; nobody can take another namespace's name by a label."""
EVERYWHERE = "anywhere"
ALL_PODS = "all"
ALL_PORTS = "all"


@dataclass(frozen=True, order=True)
class Flow:
    """Connections that one rule lets through."""

    pods: str
    """The pods of the policy's namespace, by their labels."""
    direction: str
    """``from`` or ``to``."""
    peers: tuple[str, ...]
    """Networks, or ``namespace label=value``."""
    ports: tuple[str, ...]
    """Protocol and port at the pod, such as ``TCP 443``."""

    def document(self) -> dict[str, Any]:
        """As the control registry writes it, and the evidence shows it."""
        found = asdict(self)
        return {"pods": found["pods"], found["direction"]: list(found["peers"]), "ports": list(found["ports"])}


def denies_everything(policy: Mapping[str, Any]) -> bool:
    """Whether a policy covers all pods of its namespace, both ways, and lets nothing through."""
    spec = policy["spec"]
    covers = _selector(spec.get("podSelector")) == ALL_PODS and set(spec.get("policyTypes", ())) == {
        "Ingress",
        "Egress",
    }
    return covers and not spec.get("ingress") and not spec.get("egress")


def flows_of(policy: Mapping[str, Any]) -> list[Flow]:
    """What a policy lets through; nothing for one that only denies."""
    spec = policy["spec"]
    pods = _selector(spec.get("podSelector"))
    return [
        Flow(pods, side, _peers(rule.get(side)), _ports(rule.get("ports")))
        for way, side in (("ingress", "from"), ("egress", "to"))
        for rule in spec.get(way) or ()
    ]


def flow_of(row: Mapping[str, Any], networks: Mapping[str, Iterable[str]], ports: Mapping[str, Iterable[int]]) -> Flow:
    """An expected flow.

    Args:
        row: ``pods``, ``from`` or ``to``, and ``ports``, as in the control registry.
        networks: What the names of networks stand for.
        ports: What the names of ports stand for, such as that of the API server; one name may be several.
    """
    direction = "from" if "from" in row else "to"
    peers = [address for peer in row[direction] for address in networks.get(peer, (peer,))]
    words = [port.split() for port in row["ports"]]
    named = [f"{protocol} {number}" for protocol, word in words for number in ports.get(word, (word,))]
    return Flow(row["pods"], direction, tuple(sorted(peers)), tuple(sorted(named)))


def _peers(peers: Iterable[Mapping[str, Any]] | None) -> tuple[str, ...]:
    return tuple(sorted(_peer(peer) for peer in peers)) if peers else (EVERYWHERE,)


def _peer(peer: Mapping[str, Any]) -> str:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return " except ".join([block["cidr"], *block.get("except", ())])
    pods = _selector(peer.get("podSelector"))
    if "namespaceSelector" not in peer:
        return f"own namespace {pods}"
    labels = dict((peer["namespaceSelector"] or {}).get("matchLabels") or {})
    name = labels.pop(NAMESPACE_LABEL, None)
    others = _selector({**(peer["namespaceSelector"] or {}), "matchLabels": labels})
    namespace = name if name and others == ALL_PODS else f"namespaces {' '.join(filter(None, (name, others)))}"
    return namespace if pods == ALL_PODS else f"{namespace} {pods}"


def _ports(ports: Iterable[Mapping[str, Any]] | None) -> tuple[str, ...]:
    return tuple(sorted(_port(port) for port in ports)) if ports else (ALL_PORTS,)


def _port(port: Mapping[str, Any]) -> str:
    last = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port.get('protocol', 'TCP')} {port.get('port', ALL_PORTS)}{last}"


def _selector(selector: Mapping[str, Any] | None) -> str:
    chosen = selector or {}
    words = [f"{name}={value}" for name, value in sorted((chosen.get("matchLabels") or {}).items())]
    words += [
        " ".join(filter(None, (rule["key"], rule["operator"], ",".join(rule.get("values") or ()))))
        for rule in chosen.get("matchExpressions") or ()
    ]
    return ", ".join(words) or ALL_PODS
