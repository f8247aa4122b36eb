"""The wait for an object that was applied always ends with the object: whatever the API server says meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, cast

import pytest
from kubernetes_provider.cluster import Cluster, Endpoint, Kind
from kubernetes_provider.failures import AnswerError, UnreachableError
from kubernetes_provider.objects import Target
from kubernetes_provider.values import UNKNOWN
from kubernetes_provider.waiting import (
    NotReadyError,
    Patience,
    refuse_wrong_annotations,
    rule_of,
    wait_until_ready,
)

from palisade.errors import PalisadeError

DEPLOYMENT = Target(Kind("apps/v1", "Deployment"), "shop", "web")
SILENCE = UnreachableError("https://cluster.test", OSError("refused"))


class Answers:
    """A cluster that gives these answers about the object, one after the other, and then the last one again.

    Args:
        answers: Objects, and errors instead of objects.
    """

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def endpoint(self, kind: Kind) -> Endpoint:
        return Endpoint(kind, f"{kind.kind.lower()}s", namespaced=True)

    def find(self, _path: str) -> Any:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get(self, path: str, _query: Mapping[str, str] | None = None) -> Any:
        return self.find(path) if isinstance(self._answers[0], Exception) else {"items": []}


def rolled_out(available: int, *, since: str = "", reason: str = "", generation: int = 2) -> dict[str, Any]:
    """A Deployment of one pod."""
    progressing = {"type": "Progressing", "reason": reason, "lastUpdateTime": since, "message": "has timed out"}
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": generation,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": available,
            "conditions": [{"type": "Available", "status": "False"}, *([progressing] if since else [])],
        },
    }


def wait(cluster: Answers, applied: dict[str, Any], *, seconds: float = 30, target: Target = DEPLOYMENT) -> Any:
    rule = rule_of(target.kind, {})
    assert rule is not None
    patience = Patience(seconds, threading.Event(), lambda _: None)
    return wait_until_ready(cast("Cluster", cluster), target, applied, rule, patience)


@pytest.mark.parametrize(
    "pause",
    [SILENCE, AnswerError(503, {"message": "starting"}), AnswerError(500, None), AnswerError(429, None)],
)
def test_a_server_that_does_not_answer_for_a_moment_is_waited_for(pause: Exception) -> None:
    ready = rolled_out(1)
    assert wait(Answers(pause, pause, ready), rolled_out(0)) == ready


def test_a_server_that_stays_away_ends_the_wait_with_the_object_as_it_was_last_seen() -> None:
    applied = rolled_out(0)
    with pytest.raises(NotReadyError) as refused:
        wait(Answers(SILENCE), applied, seconds=0.3)
    assert refused.value.live == applied
    first, more = refused.value.reasons
    assert first == "not ready within 0 s: the API server does not answer (refused)"
    assert more == "more is not known: the API server does not answer (refused)"


@pytest.mark.parametrize("status", [401, 403])
def test_an_object_that_may_not_be_read_is_not_waited_for(status: int) -> None:
    applied = rolled_out(0)
    with pytest.raises(NotReadyError) as refused:
        wait(Answers(AnswerError(status, {"message": "Unauthorized"})), applied)
    assert refused.value.live == applied
    assert refused.value.reasons[0] == "what has become of it cannot be read: Unauthorized"


def test_a_server_that_goes_away_while_others_are_looked_at_is_waited_for() -> None:
    """A definition is ready when its objects are served, which is another question to the server."""
    names = {"plural": "things"}
    spec = {"group": "a.test", "names": names, "versions": [{"name": "v1", "served": True}]}
    established = {"spec": spec, "status": {"conditions": [{"type": "Established", "status": "True"}]}}
    target = Target(Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), None, "things.a.test")
    served = {"resources": [{"name": "things"}]}
    assert wait(Answers(SILENCE, established, served), established, target=target) == established


def test_what_an_earlier_rollout_came_to_does_not_end_the_wait_for_this_one() -> None:
    old = rolled_out(0, since="10:00", reason="ProgressDeadlineExceeded")
    ready = rolled_out(1, since="11:00", reason="NewReplicaSetAvailable")
    assert wait(Answers(old, ready), old) == ready
    # Also if only the number of pods was changed, so that the condition comes with the new generation.
    unseen = rolled_out(0, since="10:00", reason="ProgressDeadlineExceeded", generation=1)
    assert wait(Answers(old, ready), unseen) == ready


def test_what_this_rollout_came_to_ends_the_wait() -> None:
    new = rolled_out(0, since="11:00", reason="ProgressDeadlineExceeded")
    for before in (
        rolled_out(0),
        rolled_out(0, since="10:00", reason="ProgressDeadlineExceeded"),
        rolled_out(0, since="10:00", reason="NewReplicaSetAvailable"),
    ):
        with pytest.raises(NotReadyError, match="has timed out"):
            wait(Answers(new), before)


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        ({"pulumi.com/timeoutSeconds": "10m"}, "'10m' is not a number"),
        ({"pulumi.com/timeoutSeconds": "nan"}, "'nan' is not a number"),
        ({"pulumi.com/timeoutSeconds": "inf"}, "'inf' is not a number"),
        ({"pulumi.com/timeoutSeconds": []}, "is not a number"),
        ({"pulumi.com/waitFor": "jsonpath={.status}"}, "is not something that can be waited for"),
    ],
)
def test_annotations_that_nobody_could_follow_are_refused(annotations: dict[str, Any], problem: str) -> None:
    with pytest.raises(PalisadeError) as refused:
        refuse_wrong_annotations(DEPLOYMENT.kind, annotations)
    assert problem in refused.value.problem
    assert refused.value.where == f"metadata.annotations[{next(iter(annotations))}]"


@pytest.mark.parametrize(
    "annotations",
    [
        {},
        {"pulumi.com/timeoutSeconds": "120", "pulumi.com/waitFor": "condition=Ready"},
        {"pulumi.com/timeoutSeconds": UNKNOWN, "pulumi.com/waitFor": UNKNOWN},
        {"pulumi.com/skipAwait": "true", "pulumi.com/timeoutSeconds": "10m"},
    ],
)
def test_annotations_that_can_be_followed_or_are_not_known_yet_are_taken(annotations: dict[str, Any]) -> None:
    refuse_wrong_annotations(DEPLOYMENT.kind, annotations)
