"""What is done with single objects: find, apply, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes_provider.cluster import APPLY_PATCH, CREATED, JSON_PATCH, NOT_FOUND, Cluster, Endpoint, Kind
from kubernetes_provider.failures import AnswerError
from kubernetes_provider.paths import Path, get
from palisade.errors import PalisadeError

_OWNS_OTHERS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"}
)
"""Kinds whose objects make others; these are deleted first, so that nothing is left when the object is gone."""
_PROPAGATION_ANNOTATION = "pulumi.com/deletionPropagationPolicy"


@dataclass(frozen=True)
class Target:
    """One object in the cluster, whether it is there or not."""

    kind: Kind
    namespace: str | None
    """None for kinds that belong to no namespace."""
    name: str

    @property
    def id(self) -> str:
        """The id in Pulumi's state: ``namespace/name`` or ``name``."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.id}"


def kind_of(type_token: str, properties: Mapping[str, Any]) -> Kind:
    """The kind of a resource: from its properties, or from its type (``kubernetes:apps/v1:Deployment``).

    Raises:
        PalisadeError: it is not a resource that this provider serves.
    """
    package, _, rest = type_token.partition(":")
    version, _, kind = rest.rpartition(":")
    if package != "kubernetes" or not version or version.startswith(("helm.sh/", "kustomize", "yaml")):
        raise _not_served(type_token)
    if kind.endswith("Patch") and properties.get("kind") != kind:
        raise _not_served(type_token)
    own_version, own_kind = properties.get("apiVersion"), properties.get("kind")
    return Kind(
        own_version if isinstance(own_version, str) else version.removeprefix("core/"),
        own_kind if isinstance(own_kind, str) else kind,
    )


def target_of(kind: Kind, properties: Mapping[str, Any]) -> Target:
    """The object that checked inputs, or the state, describe."""
    return Target(kind, get(properties, "metadata", "namespace"), get(properties, "metadata", "name"))


def target_of_id(kind: Kind, identifier: str, endpoint: Endpoint, default_namespace: str) -> Target:
    """The object of an id that the state, or somebody who imports, gives.

    Raises:
        PalisadeError: the id has the wrong form.
    """
    namespace, slash, name = identifier.rpartition("/")
    if not name or "/" in namespace or (slash and not endpoint.namespaced):
        form = "namespace/name, or name in the default namespace" if endpoint.namespaced else "name"
        raise PalisadeError(f"{identifier!r} is not the id of an object of the kind {kind}.", where="id", allowed=form)
    return Target(kind, (namespace or default_namespace) if endpoint.namespaced else None, name)


def find(cluster: Cluster, target: Target) -> dict[str, Any] | None:
    """The live object; None if it is not there.

    Raises:
        AnswerError: the server refuses.
        UnknownKindError: the kind is not served.
    """
    return cluster.find(cluster.endpoint(target.kind).one(target.namespace, target.name))


def apply(
    cluster: Cluster, target: Target, content: Mapping[str, Any], *, manager: str, dry_run: bool = False, force: bool
) -> tuple[bool, dict[str, Any]]:
    """Server-side apply: the fields of the content become ours, those that we no longer name go.

    Args:
        cluster: Where.
        target: Which object.
        content: The whole object as declared.
        manager: Under which name the fields are ours.
        dry_run: Only let the server say what would come out.
        force: Take over fields that another manager has set to something else.

    Returns:
        Whether the object was created, and the live object.

    Raises:
        AnswerError: the server refuses, among others for conflicts with another manager.
        UnknownKindError: the kind is not served.
    """
    query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true" if force else "false"}
    if dry_run:
        query["dryRun"] = "All"
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    status, live = cluster.request("PATCH", path, query=query, body=content, content_type=APPLY_PATCH)
    return status == CREATED, live


def remove_fields(cluster: Cluster, target: Target, paths: Iterable[Path]) -> dict[str, Any]:
    """Remove fields whoever owns them; a list item is removed by its position.

    Returns:
        The live object.

    Raises:
        AnswerError: the server refuses.
    """
    # From the end, so that positions in lists stay right.
    ordered = sorted(paths, key=lambda path: [(isinstance(key, int), str(key).zfill(6)) for key in path], reverse=True)
    patch = [{"op": "remove", "path": "".join(f"/{_pointer(key)}" for key in path)} for path in ordered]
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    live: dict[str, Any] = cluster.request("PATCH", path, body=patch, content_type=JSON_PATCH)[1]
    return live


def delete(cluster: Cluster, target: Target, annotations: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ask the server to delete an object.

    Returns:
        The object, which may be there until its finalizers have done their work; None if it was not there.

    Raises:
        AnswerError: the server refuses.
        UnknownKindError: the kind is not served.
    """
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    default = "Foreground" if target.kind.kind in _OWNS_OTHERS else "Background"
    policy = str(annotations.get(_PROPAGATION_ANNOTATION) or default).capitalize()
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}
    try:
        _, answer = cluster.request("DELETE", path, body=options)
    except AnswerError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    # A controller may have made another one of the same name meanwhile (the service account `default`): it stays.
    deleted = get(answer, "details", "uid") or get(answer, "metadata", "uid")
    live = cluster.find(path)
    return live if deleted is None or get(live, "metadata", "uid") == deleted else None


def without_nulls(value: Any) -> Any:
    """A value without keys that say nothing, as the server stores it."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _pointer(key: str | int) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _not_served(type_token: str) -> PalisadeError:
    return PalisadeError(
        f"This provider has no resource {type_token}.",
        where=type_token,
        allowed="objects of the cluster: built-in kinds and custom resources; no Helm, Kustomize or ...Patch resources",
        remedy="render charts to manifests first, or install the official plugin",
    )
