"""Why an object does not become ready: what its conditions, its pods, its requests and the events about it say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from kubernetes_provider.cluster import Cluster
from kubernetes_provider.failures import AnswerError, UnreachableError
from kubernetes_provider.objects import Target
from kubernetes_provider.paths import get

_MOST_REASONS = 8
_MOST_PODS = 100
_ORDINARY = frozenset({"ContainerCreating", "PodInitializing"})
_OPERATORS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def reasons_of(cluster: Cluster, target: Target, live: Mapping[str, Any]) -> list[str]:
    """What explains the delay, the most frequent first; with why no more is known if nobody may look."""
    found: Counter[str] = Counter()
    try:
        found.update(_conditions(live))
        for pod in _pods(cluster, target, live):
            found.update(set(_pod_reasons(pod)) or set(_events(cluster, target.namespace, pod)))
        found.update(_requests(cluster, target, live))
        found.update(_events(cluster, target.namespace, live))
    except (AnswerError, UnreachableError) as error:
        found.update([f"more is not known: {error.message}"])
    return [f"{text} ({count} times)" if count > 1 else text for text, count in found.most_common(_MOST_REASONS)]


def _conditions(live: Mapping[str, Any]) -> Iterator[str]:
    for one in get(live, "status", "conditions") or []:
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True":
            yield f"{one.get('reason')}: {one.get('message')}"


def _pods(cluster: Cluster, target: Target, live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if target.kind.kind == "Pod":
        return [live]
    selector = get(live, "spec", "selector")
    if target.kind.kind in {"Service", "PersistentVolumeClaim"} or not isinstance(selector, Mapping):
        return []
    query = {"labelSelector": _selector(selector), "limit": str(_MOST_PODS)}
    answer = cluster.get(f"/api/v1/namespaces/{quote(str(target.namespace))}/pods", query)
    pods: list[Mapping[str, Any]] = answer["items"]
    return pods


def _requests(cluster: Cluster, target: Target, live: Mapping[str, Any]) -> Iterator[str]:
    """What became of the newest request for a certificate: only there it is said why an issuer does not sign."""
    if (target.kind.group, target.kind.kind) != ("cert-manager.io", "Certificate"):
        return
    path = f"/apis/cert-manager.io/v1/namespaces/{quote(str(target.namespace))}/certificaterequests"
    identity = get(live, "metadata", "uid")
    own = [
        one
        for one in cluster.get(path)["items"]
        if any(owner.get("uid") == identity for owner in get(one, "metadata", "ownerReferences") or [])
    ]
    newest: Mapping[str, Any] = max(own, key=lambda one: str(get(one, "metadata", "creationTimestamp")), default={})
    for one in get(newest, "status", "conditions") or []:
        if one.get("type") == "Ready" and one.get("status") != "True":
            yield f"request {newest['metadata']['name']}: {one.get('reason')}: {one.get('message')}"


def _selector(selector: Mapping[str, Any]) -> str:
    labels = selector.get("matchLabels", selector if "matchExpressions" not in selector else {})
    parts = [f"{key}={value}" for key, value in labels.items()]
    parts += [
        _OPERATORS[one["operator"]].format(key=one["key"], values=",".join(one.get("values") or []))
        for one in selector.get("matchExpressions") or []
    ]
    return ",".join(parts)


def _pod_reasons(pod: Mapping[str, Any]) -> Iterator[str]:
    for one in get(pod, "status", "conditions") or []:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            yield f"{one.get('reason')}: {one.get('message')}"
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        yield f"{status['reason']}: {status.get('message', '')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        yield from _container_reasons(container)


def _container_reasons(container: Mapping[str, Any]) -> Iterator[str]:
    start = f"container {container['name']}"
    waiting = get(container, "state", "waiting")
    if waiting and waiting.get("reason") not in _ORDINARY:
        yield f"{start}: {waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    ended = get(container, "state", "terminated") or get(container, "lastState", "terminated")
    if ended and ended.get("exitCode"):
        yield f"{start} ended with exit code {ended['exitCode']} ({ended.get('reason')}); see kubectl logs --previous"
    if get(container, "state", "running") and not container.get("ready") and not ended:
        yield f"{start} runs and its readiness probe does not succeed"


def _events(cluster: Cluster, namespace: str | None, about: Mapping[str, Any]) -> Iterator[str]:
    query = {"fieldSelector": f"involvedObject.uid={get(about, 'metadata', 'uid')},type=Warning"}
    place = f"/api/v1/namespaces/{quote(namespace)}/events" if namespace else "/api/v1/events"
    for event in cluster.get(place, query)["items"]:
        yield f"{event.get('reason')}: {event.get('message')}"
