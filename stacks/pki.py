"""Who signs certificates, and which ones there are: Vault, through cert-manager, and the certificate of the edge."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from stacks.objects import LABELS, WHY_ANNOTATION, Component

ISSUER = "palisade-vault"
EDGE = "edge"
"""The certificate of the registry's edge, and the Secret that holds it with its key."""
EDGE_NAMESPACE = "palisade-registry"
_GROUP = "cert-manager.io"
_VERSION = f"{_GROUP}/v1"
_READY_SECONDS = 180
_KEPT_REQUESTS = 3


@dataclass(frozen=True)
class VaultAccess:
    """How cert-manager reaches Vault."""

    server: str
    """Its URL."""
    ca_bundle: str | None
    """The certificate of the authority that has signed Vault's own, as PEM; None: one that the image trusts anyway."""
    sign_path: str
    """Where requests are signed: mount and role of the PKI."""
    auth_path: str
    """Where the Kubernetes authentication is mounted."""
    role: str
    """The role there that is bound to the service account."""
    account: str
    """The service account with whose tokens cert-manager logs in."""


@dataclass(frozen=True)
class PkiArgs:
    """What is signed by whom."""

    vault: VaultAccess
    names: tuple[str, ...]
    """The DNS names of the edge; the first is the common name too."""
    addresses: tuple[IPv4Address, ...]
    """Addresses by which clients may call the edge."""
    identity: str
    """The SPIFFE identity of the registry's pods."""
    lifetime_hours: int
    renew_before_hours: int
    after: tuple[pulumi.Resource, ...]
    """What must work first: cert-manager, where it is installed."""
    namespace: Namespace
    """The namespace of the edge."""


class Pki(Component):
    """The issuer, and the certificate of the edge; each is there when it is ready, or the update says why not."""

    def __init__(self, name: str, args: PkiArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        issuer = CustomResource(
            ISSUER,
            api_version=_VERSION,
            kind="ClusterIssuer",
            metadata=_awaited(ISSUER, why="Vault signs; nothing in the cluster could do it instead"),
            spec={"vault": _vault(args.vault)},
            opts=self.child(*args.after),
        )
        self.certificate = CustomResource(
            EDGE,
            api_version=_VERSION,
            kind="Certificate",
            metadata=_awaited(EDGE, namespace=EDGE_NAMESPACE, why="What clients see of the registry, for hours only"),
            spec=certificate_spec(args),
            opts=self.child(args.namespace, issuer),
        )
        """There when the Secret :data:`EDGE` holds a valid certificate."""
        self.register_outputs({"issuer": ISSUER, "certificate": EDGE})


def certificate_spec(args: PkiArgs) -> dict[str, Any]:
    """The specification of the certificate of the edge (``cert-manager.io/v1``)."""
    return {
        "secretName": EDGE,
        "secretTemplate": {"labels": dict(LABELS), "annotations": {WHY_ANNOTATION: "Key and certificate of the edge"}},
        "issuerRef": {"group": _GROUP, "kind": "ClusterIssuer", "name": ISSUER},
        "commonName": args.names[0],
        "dnsNames": list(args.names),
        **({"ipAddresses": [str(address) for address in args.addresses]} if args.addresses else {}),
        "uris": [args.identity],
        # As Go writes a duration, so that nobody who reads it and writes it back changes it.
        "duration": f"{args.lifetime_hours}h0m0s",
        "renewBefore": f"{args.renew_before_hours}h0m0s",
        "privateKey": {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8", "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth", "client auth"],
        "revisionHistoryLimit": _KEPT_REQUESTS,
    }


def _vault(access: VaultAccess) -> dict[str, Any]:
    authentication = {
        "mountPath": f"/v1/auth/{access.auth_path}",
        "role": access.role,
        "serviceAccountRef": {"name": access.account},
    }
    found: dict[str, Any] = {
        "server": access.server,
        "path": access.sign_path,
        "auth": {"kubernetes": authentication},
    }
    if access.ca_bundle is not None:
        found["caBundle"] = base64.b64encode(access.ca_bundle.encode()).decode()
    return found


def _awaited(name: str, *, why: str, namespace: str | None = None) -> ObjectMetaArgs:
    return ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels=LABELS,
        annotations={
            WHY_ANNOTATION: why,
            "pulumi.com/waitFor": "condition=Ready",
            "pulumi.com/timeoutSeconds": str(_READY_SECONDS),
        },
    )
