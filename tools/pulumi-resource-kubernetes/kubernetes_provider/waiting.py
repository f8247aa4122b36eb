"""Waits until an object is ready or gone, and says why when it is not in time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes_provider.cluster import Cluster, Kind
from kubernetes_provider.failures import AnswerError, UnreachableError
from kubernetes_provider.objects import Target
from kubernetes_provider.paths import get
from kubernetes_provider.readiness import READY, RULES, Rule, Verdict, wait_for_condition
from kubernetes_provider.reasons import reasons_of
from kubernetes_provider.values import UNKNOWN
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
        if _is_skipped(annotations):
            return None
        wanted = _seconds_of(annotations)
        return cls(seconds or _DEFAULT_SECONDS if wanted is None else wanted, cancelled, report)

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


def refuse_wrong_annotations(kind: Kind, annotations: Mapping[str, Any]) -> None:
    """Refuse what annotations say about waiting before anything is done; what is not known yet is not judged.

    Raises:
        PalisadeError: nobody could wait like that.
    """
    known = {key: value for key, value in annotations.items() if value is not UNKNOWN}
    if not _is_skipped(known):
        _seconds_of(known)
        rule_of(kind, known)


def rule_of(kind: Kind, annotations: Mapping[str, Any]) -> Rule | None:
    """What an object is waited for; None: it is ready when the server has accepted it.

    Args:
        kind: Its kind.
        annotations: Those that the program declares; others' annotations do not say how it waits.

    Raises:
        PalisadeError: the annotation is not something that can be waited for.
    """
    wanted = annotations.get(_WAIT_ANNOTATION)
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


def wait_until_ready(
    cluster: Cluster, target: Target, applied: dict[str, Any], rule: Rule, patience: Patience
) -> dict[str, Any]:
    """Wait for an object that was just applied. A server that does not answer for now is waited for as well.

    Args:
        cluster: Where it is.
        target: Which object.
        applied: The object in the answer to the apply.
        rule: When it is ready.
        patience: How long is waited.

    Returns:
        The live object.

    Raises:
        NotReadyError: it is not ready in time, cannot become ready or cannot be read, or waiting was interrupted.
    """
    path = cluster.endpoint(target.kind).one(target.namespace, target.name)
    live, verdict = applied, _judge(cluster, rule, target.kind, applied, applied)
    while verdict != READY and (rule.most_seconds is None or patience.elapsed <= rule.most_seconds):
        stop = "" if verdict.is_final else patience.pause(f"waiting: {verdict.waits_for}")
        if verdict.is_final or stop:
            first = f"{stop}: {verdict.waits_for}" if stop else verdict.waits_for
            raise NotReadyError(live, [first, *reasons_of(cluster, target, live)])
        try:
            found = cluster.find(path)
        except (AnswerError, UnreachableError) as error:
            verdict = _unread(error)
            continue
        if found is None:
            raise NotReadyError(live, ["it was deleted while it was waited for"])
        live, verdict = found, _judge(cluster, rule, target.kind, found, applied)
    return live


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


def _is_skipped(annotations: Mapping[str, Any]) -> bool:
    return str(annotations.get(_SKIP_ANNOTATION)).lower() == "true"


def _seconds_of(annotations: Mapping[str, Any]) -> float | None:
    wanted = annotations.get(_SECONDS_ANNOTATION)
    if wanted is None:
        return None
    try:
        seconds = float(wanted)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds):
        where = f"metadata.annotations[{_SECONDS_ANNOTATION}]"
        raise PalisadeError(f"{wanted!r} is not a number.", where=where, allowed="seconds, such as 120")
    return seconds


def _judge(cluster: Cluster, rule: Rule, kind: Kind, live: Mapping[str, Any], applied: Mapping[str, Any]) -> Verdict:
    try:
        return _judge_with_others(cluster, kind, live, rule.verdict(live, applied))
    except (AnswerError, UnreachableError) as error:
        return _unread(error)


def _unread(error: AnswerError | UnreachableError) -> Verdict:
    """What is known of an object that was not shown: the wait goes on while the server does not answer."""
    silence = error.message if isinstance(error, UnreachableError) else error.outage
    return Verdict(silence) if silence else Verdict(f"what has become of it cannot be read: {error}", is_final=True)


def _judge_with_others(cluster: Cluster, kind: Kind, live: Mapping[str, Any], verdict: Verdict) -> Verdict:
    """The verdict where other objects count too."""
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
