"""What a real API server with admission policies says to a manifest (server-side dry run: nothing is stored)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import DynamicApiError

from tests.waiting import wait_until

GROUP = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_DENIED = re.compile(r"ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.*)", re.DOTALL)


@dataclass(frozen=True)
class Refusal:
    policy: str
    message: str


class Cluster:
    """The administrator's client."""

    def __init__(self, kubeconfig: str) -> None:
        self.client = config.new_client_from_config(kubeconfig)
        self._dynamic = dynamic.DynamicClient(self.client)
        self._markers = 0

    def resource(self, manifest: Mapping[str, Any]) -> Any:
        return self._dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])

    def create(self, manifest: Mapping[str, Any], **options: Any) -> Any:
        namespace = manifest["metadata"].get("namespace")
        return self.resource(manifest).create(dict(manifest), namespace=namespace, **options)

    def delete(self, kind: str, names: Iterable[str]) -> None:
        for name in names:
            self.resource({"apiVersion": GROUP, "kind": kind}).delete(name)

    def refusal(self, manifest: Mapping[str, Any]) -> Refusal | None:
        """Why a policy refuses to create this; None if it would be created."""
        return refusal_of(lambda: self.create(manifest, dry_run="All"))

    def declare_policy(self, name: str, spec: Mapping[str, Any], bindings: Mapping[str, Mapping[str, Any]]) -> None:
        self.create({"apiVersion": GROUP, "kind": POLICY, "metadata": {"name": name}, "spec": dict(spec)})
        for binding, binding_spec in bindings.items():
            self.create({"apiVersion": GROUP, "kind": BINDING, "metadata": {"name": binding}, "spec": binding_spec})

    def wait_until_effective(self) -> None:
        """Until the API server has taken in all changes of policies made so far: it does so in order, every second."""
        self._markers += 1
        name = f"marker-{self._markers}"
        asked = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        spec = {
            "matchConstraints": {"resourceRules": [asked]},
            "validations": [{"expression": f"object.metadata.name != '{name}'"}],
        }
        self.declare_policy(name, spec, {name: {"policyName": name, "validationActions": ["Deny"]}})
        probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
        wait_until(lambda: self.refusal(probe) is not None, f"{name} refuses nothing")

    def wait_until_served(self, manifest: Mapping[str, Any]) -> None:
        """Until a custom resource that was just declared can be created."""

        def is_served() -> bool:
            try:
                self._dynamic.resources.invalidate_cache()
                return self.refusal(manifest) is None
            except (dynamic.exceptions.ResourceNotFoundError, DynamicApiError):
                return False

        wait_until(is_served, f"{manifest['kind']} is not served")

    def wait_until_pods_can_be_made(self, namespace: str) -> None:
        """Until the controller has made the service account of a new namespace."""

        def has_account() -> bool:
            return bool(self.core().list_namespaced_service_account(namespace).items)

        wait_until(has_account, f"{namespace} has no service account")

    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.client)


def refusal_of(request: Callable[[], Any]) -> Refusal | None:
    """What a policy says to a request; another error than a policy's is raised."""
    try:
        request()
    except (DynamicApiError, client.ApiException) as error:
        denied = _DENIED.search(json.loads(error.body)["message"])
        if denied is None:
            raise
        return Refusal(denied.group(1), denied.group(2))
    return None
