"""Waits until an object is ready or gone, and says why when it is not in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes_provider.cluster import Cluster, Kind
from kubernetes_provider.objects import Target
from kubernetes_provider.paths import get
from kubernetes_provider.readiness import READY, RULES, Rule, Verdict, wait_for_condition
from kubernetes_provider.reasons import reasons_of
from palisade.errors import PalisadeError

_DEFAULT_SECONDS = 600.0
_SKIP_ANNOTATION = "pulumi.com/skipAwait"
_SECONDS_ANNOTATION = "pulumi.com/timeoutSeconds"
_WAIT_ANNOTATION = "pulumi.com/waitFor"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_PAUSE_GROWTH = 1.4
_QUIET_SECONDS = 2.0
"""What takes no longer is not worth a line on the user's screen."""


class NotReadyError(Exception):
    """An object is there, and not ready.

    Args:
        live: The object as it was last seen.
        reasons: What is missing, and what its pods and events say.
    """

    def __init__(self, live: dict[str, Any], reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.live = live
        self.reasons = reasons


@dataclass
class Patience:
    """How long is waited, and who is told.

    Args:
        seconds: From now on.
        cancelled: Set when the user interrupts.
        report: Told what is waited for.
    """

    seconds: float
    cancelled: threading.Event
    report: Callable[[str], None]

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self._pause = _FIRST_PAUSE_SECONDS
        self._said = ""

    @classmethod
    def of(
        cls, annotations: Mapping[str, Any], seconds: float, cancelled: threading.Event, report: Callable[[str], None]
    ) -> Patience | None:
        """What the annotations of an object and the resource's options (0 seconds: nothing) say; None: do not wait.

        Raises:
            PalisadeError: an annotation is not a number of seconds.
        """
        if str(annotations.get(_SKIP_ANNOTATION)).lower() == "true":
            return None
        wanted = annotations.get(_SECONDS_ANNOTATION)
        try:
            return cls(float(wanted) if wanted is not None else seconds or _DEFAULT_SECONDS, cancelled, report)
        except ValueError:
            where = f"metadata.annotations[{_SECONDS_ANNOTATION}]"
            raise PalisadeError(f"{wanted!r} is not a number.", where=where, allowed="seconds, such as 120") from None

    @property
    def elapsed(self) -> float:
        """Seconds since the waiting began."""
        return time.monotonic() - self._started

    def pause(self, what: str) -> str:
        """Wait a moment.

        Returns:
            Why there is no more waiting; empty if there is.
        """
        if self.elapsed >= self.seconds:
            return f"not ready within {self.seconds:.0f} s"
        if self.elapsed >= _QUIET_SECONDS and what != self._said:
            self.report(what)
            self._said = what
        if self.cancelled.wait(min(self._pause, max(self.seconds - self.elapsed, 0))):
            return "interrupted"
        self._pause = min(self._pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)
        return ""


def wait_until_ready(cluster: Cluster, target: Target, live: dict[str, Any], patience: Patience) -> dict[str, Any]:
    """Wait for an object that was just applied.

    Returns:
        The live object.

    Raises:
        NotReadyError: it is not ready in time, cannot become ready, or waiting was interrupted.
        AnswerError: the server refuses to show it.
        UnreachableError: nobody answers.
    """
    rule = _rule_of(target.kind, live)
    if rule is None:
        return live
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    while True:
        verdict = _judge(cluster, rule, target.kind, live)
        if verdict == READY or (rule.most_seconds is not None and patience.elapsed > rule.most_seconds):
            return live
        stop = "" if verdict.is_final else patience.pause(f"waiting: {verdict.waits_for}")
        if verdict.is_final or stop:
            first = f"{stop}: {verdict.waits_for}" if stop else verdict.waits_for
            raise NotReadyError(live, [first, *reasons_of(cluster, target, live)])
        found = cluster.find(path)
        if found is None:
            raise NotReadyError(live, ["it was deleted while it was waited for"])
        live = found


def wait_until_gone(cluster: Cluster, target: Target, live: dict[str, Any], patience: Patience) -> None:
    """Wait for the end of an object that was deleted.

    Raises:
        PalisadeError: it is still there; with what holds it.
        AnswerError: the server refuses to show it.
        UnreachableError: nobody answers.
    """
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    identity = get(live, "metadata", "uid")
    while True:
        stop = patience.pause("waiting until it is gone")
        found = cluster.find(path)
        if found is None or get(found, "metadata", "uid") != identity:
            return
        if stop:
            holders = ", ".join(
                [*(get(found, "metadata", "finalizers") or []), *(get(found, "spec", "finalizers") or [])]
            )
            conditions = [
                str(one.get("message"))
                for one in get(found, "status", "conditions") or []
                if one.get("status") == "True" and one.get("message")
            ]
            raise PalisadeError(
                f"{target} is being deleted and still there: {stop}. {' '.join(conditions)}".strip(),
                where=str(target),
                remedy=f"find out who should remove its finalizers ({holders})" if holders else "run the command again",
            )


def _rule_of(kind: Kind, live: Mapping[str, Any]) -> Rule | None:
    wanted = get(live, "metadata", "annotations", _WAIT_ANNOTATION)
    if wanted is None:
        return RULES.get((kind.group, kind.kind))
    words = str(wanted).split("=")
    if words[0] != "condition" or len(words) not in {2, 3}:
        raise PalisadeError(
            f"{wanted!r} is not something that can be waited for.",
            where=f"metadata.annotations[{_WAIT_ANNOTATION}]",
            allowed="condition=Ready or condition=Ready=False",
        )
    return Rule(wait_for_condition(words[1], words[2] if words[2:] else "True"))


def _judge(cluster: Cluster, rule: Rule, kind: Kind, live: Mapping[str, Any]) -> Verdict:
    verdict = rule.judge(live)
    if kind.kind == "CustomResourceDefinition" and verdict == READY:
        return _is_served(cluster, live)
    if kind.kind == "PersistentVolumeClaim" and not verdict.is_final and verdict != READY:
        storage = get(live, "spec", "storageClassName")
        found = cluster.find(f"/apis/storage.k8s.io/v1/storageclasses/{storage}") if storage else None
        if found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer":
            return READY
    return verdict


def _is_served(cluster: Cluster, definition: Mapping[str, Any]) -> Verdict:
    """An established definition is served a moment later; only then can objects of it be made."""
    spec = definition["spec"]
    for version in spec["versions"]:
        if version["served"]:
            served = cluster.find(f"/apis/{spec['group']}/{version['name']}") or {}
            if spec["names"]["plural"] not in {one["name"] for one in served.get("resources", [])}:
                return Verdict("its objects are not served yet")
    return READY
