"""A real API server with controllers, the provider as Pulumi starts it, and the requests that Pulumi sends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config
from kubernetes.dynamic import DynamicClient
from kubernetes_provider.paths import Path as Place
from kubernetes_provider.values import Properties, decode, encode
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from tests.control_plane import ControlPlane, control_plane

ROOT = Path(__file__).resolve().parents[2]
EXECUTABLE = ROOT / "tools/pulumi-resource-kubernetes/pulumi-resource-kubernetes"
MANAGER = "pulumi-palisade-test"
KINDS = {
    "Namespace": "core/v1",
    "ConfigMap": "core/v1",
    "Secret": "core/v1",
    "Service": "core/v1",
    "ServiceAccount": "core/v1",
    "PersistentVolumeClaim": "core/v1",
    "Pod": "core/v1",
    "ResourceQuota": "core/v1",
    "Node": "core/v1",
    "Deployment": "apps/v1",
    "DaemonSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "APIService": "apiregistration.k8s.io/v1",
}


class RefusedError(Exception):
    """The provider answered with an error; what it says is what the user reads."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.partial: provider_pb2.ErrorResourceInitFailed | None = None
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                detail = provider_pb2.ErrorResourceInitFailed()
                packed: AnyMessage = status_pb2.Status.FromString(value).details[0]
                packed.Unpack(detail)
                self.partial = detail

    @property
    def reasons(self) -> str:
        """Why an object that is there is not ready."""
        assert self.partial is not None, str(self)
        return "\n".join(self.partial.reasons)


@dataclass
class Managed:
    """A resource in Pulumi's state."""

    urn: str
    id: str
    inputs: Properties
    state: Properties


@dataclass(frozen=True)
class Diff:
    """What the provider says a change would do."""

    changes: bool
    paths: Mapping[str, str]
    """Each changed place and how: ``{"spec.replicas": "UPDATE"}``."""
    replaces: list[str]
    delete_first: bool


@dataclass
class Engine:
    """Sends what Pulumi's engine sends, and keeps the state as it does."""

    stub: provider_pb2_grpc.ResourceProviderStub
    made: list[Managed] = field(default_factory=list)

    def check(self, kind: str, content: Mapping[str, Any], *, name: str = "it", **more: Any) -> tuple[str, Properties]:
        version = content.get("apiVersion") or KINDS[kind]
        urn = f"urn:pulumi:test::palisade::kubernetes:{version}:{kind}::{name}"
        secrets: tuple[Place, ...] = more.get("secrets", ())
        old = more.get("old", Properties({}))
        request = provider_pb2.CheckRequest(
            urn=urn,
            olds=encode(old.value, old.secrets),
            news=encode(content, secrets),
            randomSeed=b"\x01\x02\x03\x04\x05\x06",
        )
        return urn, decode(self.call("Check", request).inputs)

    def preview(self, kind: str, content: Mapping[str, Any], **more: Any) -> Properties:
        """Preview the creation."""
        urn, inputs = self.check(kind, content, **more)
        request = provider_pb2.CreateRequest(urn=urn, properties=encode(inputs.value, inputs.secrets), preview=True)
        return decode(self.call("Create", request).properties)

    def create(self, kind: str, content: Mapping[str, Any], *, seconds: float = 20, **more: Any) -> Managed:
        urn, inputs = self.check(kind, content, **more)
        properties = encode(inputs.value, inputs.secrets)
        answer = self.call("Create", provider_pb2.CreateRequest(urn=urn, properties=properties, timeout=seconds))
        managed = Managed(urn, answer.id, inputs, decode(answer.properties))
        self.made.append(managed)
        return managed

    def diff(self, managed: Managed, content: Mapping[str, Any], **more: Any) -> Diff:
        """What changes with this content."""
        _, change = self._change(managed, content, **more)
        answer = self.call("Diff", provider_pb2.DiffRequest(**change))
        names = provider_pb2.PropertyDiff.Kind
        paths = {path: names.Name(one.kind) for path, one in answer.detailedDiff.items()}
        changes = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        return Diff(changes, paths, list(answer.replaces), answer.deleteBeforeReplace)

    def update(
        self, managed: Managed, content: Mapping[str, Any], *, preview: bool = False, seconds: float = 20, **more: Any
    ) -> Managed:
        inputs, change = self._change(managed, content, **more)
        answer = self.call("Update", provider_pb2.UpdateRequest(**change, timeout=seconds, preview=preview))
        return Managed(managed.urn, managed.id, inputs, decode(answer.properties))

    def _change(
        self, managed: Managed, content: Mapping[str, Any], **more: Any
    ) -> tuple[Properties, Mapping[str, Any]]:
        """The checked content, and what a request says of a resource that gets it."""
        kind = str(managed.inputs.value["kind"])
        _, inputs = self.check(kind, content, name=managed.urn.split("::")[-1], old=managed.inputs, **more)
        change = {
            "urn": managed.urn,
            "id": managed.id,
            "old_inputs": encode(managed.inputs.value, managed.inputs.secrets),
            "olds": encode(managed.state.value, managed.state.secrets),
            "news": encode(inputs.value, inputs.secrets),
        }
        return inputs, change

    def refresh(self, managed: Managed) -> Managed | None:
        """The resource as Read shows it; None if it is gone."""
        return self.read(managed.urn, managed.id, managed.inputs, managed.state)

    def read(
        self, urn: str, identifier: str, inputs: Properties | None = None, state: Properties | None = None
    ) -> Managed | None:
        inputs, state = inputs or Properties({}), state or Properties({})
        request = provider_pb2.ReadRequest(
            urn=urn,
            id=identifier,
            inputs=encode(inputs.value, inputs.secrets),
            properties=encode(state.value, state.secrets),
        )
        answer = self.call("Read", request)
        return Managed(urn, answer.id, decode(answer.inputs), decode(answer.properties)) if answer.id else None

    def delete(self, managed: Managed, *, seconds: float = 30) -> None:
        request = provider_pb2.DeleteRequest(
            urn=managed.urn,
            id=managed.id,
            properties=encode(managed.state.value, managed.state.secrets),
            old_inputs=encode(managed.inputs.value, managed.inputs.secrets),
            timeout=seconds,
        )
        self.call("Delete", request)

    def call(self, method: str, request: Any) -> Any:
        """Send one request.

        Raises:
            RefusedError: the provider answers with an error.
        """
        try:
            return getattr(self.stub, method)(request, timeout=120)
        except grpc.RpcError as error:
            raise RefusedError(error) from None


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    with control_plane(controllers=True) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(plane: ControlPlane) -> DynamicClient:
    """What somebody with kubectl does: the objects as they are, without the provider."""
    client: ApiClient = new_client_from_config(str(plane.kubeconfig))
    return DynamicClient(client)


@contextmanager
def provider(kubeconfig: Path, **settings: Any) -> Iterator[Engine]:
    """The provider as Pulumi starts and configures it."""
    with subprocess.Popen(
        [sys.executable, EXECUTABLE, "127.0.0.1:1"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
            running = Engine(provider_pb2_grpc.ResourceProviderStub(channel))
            arguments = encode({"kubeconfig": str(kubeconfig), **settings})
            running.call("Configure", provider_pb2.ConfigureRequest(args=arguments, acceptSecrets=True))
            yield running
        process.terminate()


@pytest.fixture(scope="session")
def engine(plane: ControlPlane) -> Iterator[Engine]:
    with provider(plane.kubeconfig) as running:
        yield running


@pytest.fixture(scope="session")
def namespace(engine: Engine) -> str:
    """A namespace for objects that are not worth one of their own."""
    return engine.create("Namespace", {"metadata": {"name": "shop"}}).id
