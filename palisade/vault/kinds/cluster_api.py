"""Who asks the API server, on behalf of Vault, whether a service account's token is real."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any, Protocol

from palisade.errors import PalisadeError

ACCOUNT = "vault-token-review"
FIELD_MANAGER = "palisade-vault"
OWN_LABELS = {"app.kubernetes.io/managed-by": "palisade"}
"""Of a namespace that is made before the stack: without a field of their own nobody would be known to have made it."""
_TOKEN_SECONDS = 20.0
_LOOK_SECONDS = 0.2


class Objects(Protocol):
    """The part of :class:`palisade.verification.cluster.Cluster` that is used here."""

    def resource(self, kind: str, version: str = "v1") -> Any:
        """The client's resource of a kind."""

    def read(self, kind: str, version: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """One live object; None if there is none."""


@dataclass(frozen=True)
class ReviewerApi:
    """The API server of a cluster, and the service account that may do nothing but review tokens.

    Args:
        objects: The cluster.
        server: The URL of its API server, as Vault reaches it.
        certificate: Who signed the certificate of the API server, PEM.
        namespace: Where the service account is.
    """

    objects: Objects
    server: str
    certificate: str
    namespace: str

    def token(self) -> str | None:
        """The token of the service account; None if there is none yet."""
        account = self.objects.read("ServiceAccount", "v1", ACCOUNT, self.namespace)
        secret = self.objects.read("Secret", "v1", ACCOUNT, self.namespace)
        binding = self.objects.read("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", f"palisade:{ACCOUNT}")
        encoded = ((secret or {}).get("data") or {}).get("token")
        return base64.b64decode(encoded).decode() if account and binding and encoded else None

    def make(self) -> str:
        """Make the service account and return its token.

        Raises:
            PalisadeError: the cluster gives it none.
        """
        for manifest in self._manifests():
            self.objects.resource(manifest["kind"], manifest["apiVersion"]).server_side_apply(
                body=manifest,
                name=manifest["metadata"]["name"],
                namespace=manifest["metadata"].get("namespace"),
                field_manager=FIELD_MANAGER,
                force_conflicts=True,
            )
        deadline = time.monotonic() + _TOKEN_SECONDS
        while (token := self.token()) is None:
            if time.monotonic() > deadline:
                raise PalisadeError(
                    f"The cluster makes no token for the service account {ACCOUNT}.",
                    where=f"{self.server}, namespace {self.namespace}",
                    remedy="look whether kube-controller-manager runs",
                )
            time.sleep(_LOOK_SECONDS)  # the controller fills the Secret
        return token

    def _manifests(self) -> list[dict[str, Any]]:
        place = {"name": ACCOUNT, "namespace": self.namespace}
        rbac = "rbac.authorization.k8s.io"
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": dict(OWN_LABELS)}},
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": place,
                "automountServiceAccountToken": False,
            },
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"palisade:{ACCOUNT}"},
                "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "system:auth-delegator"},
                "subjects": [{"kind": "ServiceAccount", **place}],
            },
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/service-account-token",
                "metadata": {**place, "annotations": {"kubernetes.io/service-account.name": ACCOUNT}},
            },
        ]
