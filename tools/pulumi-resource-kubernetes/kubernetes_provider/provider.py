"""The operations on resources: check, diff, create, read, update, delete."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from kubernetes_provider import objects
from kubernetes_provider.changes import Change, compare, immutable_paths, refused_paths
from kubernetes_provider.cluster import INVALID, Cluster, Kind
from kubernetes_provider.declaration import AUTONAMED, check_declaration, manager_of, stack_of
from kubernetes_provider.failures import AnswerError, UnknownKindError, already_there, without_secrets
from kubernetes_provider.live import (
    INTERNAL_KEYS,
    MANAGER_KEY,
    VERSION_KEY,
    declared_of,
    is_managed_by,
    refreshed_inputs,
    same_content,
    secret_paths,
    state_of,
)
from kubernetes_provider.login import Settings
from kubernetes_provider.objects import Target, without_nulls
from kubernetes_provider.ownership import kept_by_others
from kubernetes_provider.paths import Path, get, write
from kubernetes_provider.preview import is_about_missing_part, planned_state
from kubernetes_provider.schema import Schemas
from kubernetes_provider.values import Properties, contains_unknown
from kubernetes_provider.waiting import (
    NotReadyError,
    Patience,
    refuse_wrong_annotations,
    rule_of,
    wait_until_gone,
    wait_until_ready,
)
from palisade.errors import PalisadeError

_FORCE_ANNOTATION = "pulumi.com/patchForce"
_DEFINITION = "CustomResourceDefinition"


@dataclass(frozen=True)
class Resource:
    """A resource of the program."""

    urn: str
    type: str
    name: str


@dataclass(frozen=True)
class Difference:
    """What a change of a resource would do."""

    changes: Mapping[Path, Change] = field(default_factory=dict)
    replaces: frozenset[Path] = frozenset()
    delete_first: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a resource is after an operation."""

    id: str
    state: Properties
    inputs: Properties
    unready: tuple[str, ...] = ()
    """Why it is there but not as it should be; empty if all is well."""


class ObjectProvider:
    """Serves the objects of one cluster; safe for use by many threads.

    Args:
        settings: The provider's configuration.
        cluster: Where the objects are; None while the cluster itself is only planned.
        report: Told the URN of a resource and what is waited for.
    """

    def __init__(self, settings: Settings, cluster: Cluster | None, report: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._cluster = cluster
        self._report = report
        self._schemas = Schemas()
        self._replaced: set[Target] = set()
        self.cancelled = threading.Event()

    @property
    def server(self) -> str:
        """The address of the API server; empty while the cluster is only planned."""
        return self._cluster.server if self._cluster is not None else ""

    def check(self, resource: Resource, old: Properties, new: Properties, seed: bytes) -> Properties:
        """The inputs as they are kept: with apiVersion, kind, name and namespace; Secrets are secret.

        Raises:
            PalisadeError: there is no such resource here, its annotations say nothing that can be waited for, or
                nobody answers.
            AnswerError: the server does not say which kinds it serves.
        """
        kind = objects.kind_of(resource.type, new.value)
        namespace = self._settings.namespace if self._is_namespaced(kind, new.value) else None
        checked = check_declaration(resource.name, kind, old, new, seed=seed, default_namespace=namespace)
        refuse_wrong_annotations(kind, _annotations(checked))
        return checked

    def diff(self, resource: Resource, old: Properties, state: Properties, new: Properties) -> Difference:
        """What differs between the declarations, unless the server would change nothing.

        Raises:
            PalisadeError: nobody answers.
        """
        before, after = without_nulls(old.value), without_nulls(new.value)
        changes = {path: change for path, change in compare(before, after) if path[0] not in INTERNAL_KEYS}
        if not changes:
            return Difference()
        kind = objects.kind_of(resource.type, after)
        target = objects.target_of(kind, after)
        replaces = immutable_paths(kind, changes, mutable=self._is_mutable(kind))
        is_same_object = target == objects.target_of(objects.kind_of(resource.type, before), before)
        if is_same_object and self._cluster is not None and not contains_unknown(after):
            refused = self._refused(self._cluster, target, new, self._manager(resource, state), changes)
            if refused is None:
                return Difference()
            replaces |= refused
        # An object whose name is made up gets a new one with which it can stand beside the old one.
        is_named = get(after, "metadata", "annotations", AUTONAMED) is None
        delete_first = bool(replaces) and is_same_object and is_named
        if delete_first:
            self._replaced.add(target)
        return Difference(changes, frozenset(replaces), delete_first)

    def create(self, resource: Resource, inputs: Properties, seconds: float, *, preview: bool) -> Outcome:
        """Make an object and wait until it is ready.

        Raises:
            PalisadeError: it is there already, the server refuses, or nobody answers.
        """
        kind = objects.kind_of(resource.type, inputs.value)
        target = objects.target_of(kind, inputs.value)
        manager = manager_of(resource.urn)
        with _explained(target, inputs):
            if preview:
                planned = self._planned(resource, target, inputs, manager)
                return self._outcome(target, planned_state(planned, inputs.value, kind), manager, inputs)
            cluster = self._connected()
            if not self._settings.upsert and (existing := objects.find(cluster, target)) is not None:
                raise _already_there(resource, target, existing, manager)
            _, live = objects.apply(
                cluster, target, _content(inputs), manager=manager, force=self._forces(inputs.value)
            )
            return self._await(resource, target, live, manager, inputs, seconds)

    def update(
        self, resource: Resource, old: Properties, state: Properties, new: Properties, seconds: float, *, preview: bool
    ) -> Outcome:
        """Change an object and wait until it is ready again.

        Raises:
            PalisadeError: another manager has set a field, the server refuses, or nobody answers.
        """
        kind = objects.kind_of(resource.type, new.value)
        target = objects.target_of(kind, new.value)
        manager = self._manager(resource, state)
        if preview and (self._cluster is None or new.has_unknown):
            return self._outcome(target, {**state.value, **new.value}, manager, new)
        with _explained(target, new):
            cluster = self._connected()
            force = self._forces(new.value)
            _, live = objects.apply(cluster, target, _content(new), manager=manager, dry_run=preview, force=force)
            if preview:
                return self._outcome(target, live, manager, new)
            changes = compare(without_nulls(old.value), without_nulls(new.value))
            gone = [path for path, change in changes if change is Change.DELETE and path[0] not in INTERNAL_KEYS]
            kept = kept_by_others(cluster, target, live, _content(new), manager, gone)
            if kept and force:
                live, kept = objects.remove_fields(cluster, target, kept), {}
            return _with_leftovers(self._await(resource, target, live, manager, new, seconds), kept)

    def read(self, resource: Resource, identifier: str, inputs: Properties, state: Properties) -> Outcome | None:
        """The object as it is now, and what its declaration would be; None if it is not there.

        Raises:
            PalisadeError: the id has the wrong form, the server refuses, or nobody answers.
        """
        kind = objects.kind_of(resource.type, {**state.value, **inputs.value})
        cluster = self._connected()
        try:
            endpoint = cluster.endpoint(kind)
        except UnknownKindError:
            return None
        target = objects.target_of_id(kind, identifier, endpoint, self._settings.namespace)
        with _explained(target, inputs):
            live = objects.find(cluster, target)
        if live is None:
            return None
        manager = self._manager(resource, state)
        seen = refreshed_inputs(inputs.value, state.value, live, manager) if inputs.value else declared_of(live)
        refreshed = Properties(seen, inputs.secrets | secret_paths(target))
        first_version = state.value.get(VERSION_KEY) or kind.api_version
        return self._outcome(target, live, manager, refreshed, first_version=first_version)

    def delete(
        self, resource: Resource, state: Properties, inputs: Properties, identifier: str, seconds: float
    ) -> None:
        """Delete an object and wait until it is gone.

        Raises:
            PalisadeError: the server refuses, it is not gone in time, or nobody answers.
        """
        kind = objects.kind_of(resource.type, {**inputs.value, **state.value})
        cluster = self._connected()
        try:
            endpoint = cluster.endpoint(kind)
        except UnknownKindError:
            return  # with its definition, every object of a kind is gone
        target = objects.target_of_id(kind, identifier, endpoint, self._settings.namespace)
        annotations = _annotations(state)
        patience = Patience.of(annotations, seconds, self.cancelled, self._reporter(resource))
        with _explained(target, state):
            left = objects.delete(cluster, target, annotations)
            if left is not None and patience is not None:
                wait_until_gone(cluster, target, left, patience)

    def _planned(self, resource: Resource, target: Target, inputs: Properties, manager: str) -> dict[str, Any]:
        """The object that a create would make, as far as the server can say it today."""
        cluster = self._cluster
        if target.kind.kind == _DEFINITION:
            self._schemas.plan(inputs.value)
        if cluster is None:
            return inputs.value
        if not inputs.has_unknown:
            try:
                existing = objects.find(cluster, target)
                if existing is None or self._settings.upsert:
                    force = self._forces(inputs.value)
                    content = _content(inputs)
                    return objects.apply(cluster, target, content, manager=manager, dry_run=True, force=force)[1]
                if target not in self._replaced and not is_managed_by(existing, manager):
                    raise _already_there(resource, target, existing, manager)
                # It is deleted before this one is made, or the real run refuses.
            except UnknownKindError:
                pass  # its definition is not there yet
            except AnswerError as error:
                if not is_about_missing_part(error):
                    raise
        self._schemas.check(cluster, target.kind, inputs.value, str(target))
        return inputs.value

    def _refused(
        self, cluster: Cluster, target: Target, new: Properties, manager: str, changes: Mapping[Path, Change]
    ) -> set[Path] | None:
        """The changed places that the server refuses to change; None if nothing would change at all."""
        content = _content(new)
        try:
            live = objects.find(cluster, target)
            if live is None:
                return set()
            force = self._forces(new.value)
            _, planned = objects.apply(cluster, target, content, manager=manager, dry_run=True, force=force)
        except AnswerError as error:
            return refused_paths(error, changes) if error.status == INVALID else set()
        except UnknownKindError:
            return set()
        gone = [path for path, change in changes.items() if change is Change.DELETE]
        if not same_content(live, planned) or kept_by_others(cluster, target, live, content, manager, gone):
            return set()
        return None

    def _await(
        self, resource: Resource, target: Target, live: dict[str, Any], manager: str, inputs: Properties, seconds: float
    ) -> Outcome:
        annotations = _annotations(inputs)  # checked, so nothing can fail between the apply and the wait
        patience = Patience.of(annotations, seconds, self.cancelled, self._reporter(resource))
        rule = None if patience is None else rule_of(target.kind, annotations)
        if patience is None or rule is None:
            return self._outcome(target, live, manager, inputs)
        try:
            live = wait_until_ready(self._connected(), target, live, rule, patience)
        except NotReadyError as error:
            reasons = tuple(without_secrets(reason, inputs.secret_texts()) for reason in error.reasons)
            return self._outcome(target, error.live, manager, inputs, unready=reasons)
        return self._outcome(target, live, manager, inputs)

    def _outcome(
        self,
        target: Target,
        live: Mapping[str, Any],
        manager: str,
        inputs: Properties,
        *,
        first_version: str | None = None,
        unready: tuple[str, ...] = (),
    ) -> Outcome:
        state = state_of(live, manager, first_version or target.kind.api_version)
        secrets = inputs.secrets | secret_paths(target)
        return Outcome(target.id, Properties(state, secrets), Properties(inputs.value, secrets), unready)

    def _connected(self) -> Cluster:
        if self._cluster is None:
            raise PalisadeError("The cluster is not known yet.", where="kubeconfig of the Kubernetes provider")
        return self._cluster

    def _is_namespaced(self, kind: Kind, declared: Mapping[str, Any]) -> bool:
        planned = self._schemas.planned(kind)
        if planned is not None:
            return planned.namespaced
        if self._cluster is not None:
            try:
                return self._cluster.endpoint(kind).namespaced
            except UnknownKindError:
                pass
        return get(declared, "metadata", "namespace") is not None

    def _is_mutable(self, kind: Kind) -> bool:
        return (kind == Kind("v1", "ConfigMap") and self._settings.mutable_config_maps) or (
            kind == Kind("v1", "Secret") and self._settings.mutable_secrets
        )

    def _forces(self, inputs: Mapping[str, Any]) -> bool:
        wanted = get(inputs, "metadata", "annotations", _FORCE_ANNOTATION)
        return self._settings.force if wanted is None else str(wanted).lower() == "true"

    def _manager(self, resource: Resource, state: Properties) -> str:
        return state.value.get(MANAGER_KEY) or manager_of(resource.urn)

    def _reporter(self, resource: Resource) -> Callable[[str], None]:
        return lambda text: self._report(resource.urn, text)


def _content(inputs: Properties) -> dict[str, Any]:
    content = {key: value for key, value in inputs.value.items() if key not in INTERNAL_KEYS and key != "status"}
    cleaned: dict[str, Any] = without_nulls(content)
    return cleaned


def _with_leftovers(outcome: Outcome, kept: Mapping[Path, list[str]]) -> Outcome:
    """The outcome of an update that could not remove fields, because somebody else has set them too."""
    reasons = [
        f"{write(path)} is still there: {' and '.join(owners)} has set it too; remove it with kubectl edit, "
        f'or take it with the annotation {_FORCE_ANNOTATION}: "true"'
        for path, owners in kept.items()
    ]
    return replace(outcome, unready=(*outcome.unready, *reasons))


def _annotations(properties: Properties) -> Mapping[str, Any]:
    """The annotations, as far as they are known."""
    found = get(properties.value, "metadata", "annotations")
    return found if isinstance(found, Mapping) else {}


def _already_there(resource: Resource, target: Target, existing: Mapping[str, Any], manager: str) -> PalisadeError:
    is_own = is_managed_by(existing, manager)
    return already_there(str(target), target.id, stack=stack_of(resource.urn), is_own=is_own)


@contextmanager
def _explained(target: Target, properties: Properties) -> Iterator[None]:
    """Turn refusals into errors that name the object and contain no secret."""
    try:
        yield
    except AnswerError as error:
        explained = error.explain(str(target))
        problem = without_secrets(explained.problem, properties.secret_texts())
        raise PalisadeError(problem, where=explained.where, remedy=explained.remedy) from None
