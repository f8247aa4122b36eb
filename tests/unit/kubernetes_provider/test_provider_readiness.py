"""When objects are ready, for the states that a test cluster without nodes does not reach by itself."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_provider.readiness import RULES
from kubernetes_provider.yaml_documents import decode_documents

SEEN = {"observedGeneration": 2}


def live(status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "spec": spec, "status": status}


def conditions(kind: str, status: str, **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, **more}]}


@pytest.mark.parametrize(
    ("kind", "content", "waits_for", "is_final"),
    [
        ("Namespace", live({"phase": "Terminating"}), "phase is Terminating", True),
        ("PersistentVolumeClaim", live({"phase": "Lost"}), "phase is Lost", True),
        ("PersistentVolume", live({"phase": "Available"}), "", False),
        ("Pod", live({"phase": "Succeeded"}), "", False),
        ("Pod", live({"phase": "Failed"}), "phase is Failed", True),
        ("ReplicationController", live({**SEEN, "readyReplicas": 2}, replicas=2), "", False),
        ("Service", live({}, type="ClusterIP"), "", False),
        ("Service", live({"loadBalancer": {}}, type="LoadBalancer"), "the load balancer has no address yet", False),
        ("Service", live({"loadBalancer": {"ingress": [{"ip": "1"}]}}, type="LoadBalancer"), "", False),
        ("Deployment", live({}, paused=True), "", False),
        ("Deployment", live({"observedGeneration": 1}, replicas=0), "0 of 0 pods", False),
        (
            "Deployment",
            live({**SEEN, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, replicas=2),
            "2 of 2 pods",  # an old one is still there
            False,
        ),
        ("DaemonSet", live({**SEEN, "desiredNumberScheduled": 2, "numberAvailable": 1}), "0 of 2 pods", False),
        ("DaemonSet", live(SEEN), "", False),
        (
            "DaemonSet",
            live({**SEEN, "desiredNumberScheduled": 1, "numberAvailable": 1}, updateStrategy={"type": "OnDelete"}),
            "",
            False,
        ),
        (
            "StatefulSet",
            live({**SEEN, "readyReplicas": 3, "updatedReplicas": 1}, replicas=3),
            "3 of 3 pods are ready, 1 are new",
            False,
        ),
        (
            "StatefulSet",
            live(
                {**SEEN, "readyReplicas": 3, "updatedReplicas": 1},
                replicas=3,
                updateStrategy={"rollingUpdate": {"partition": 2}},
            ),
            "",
            False,
        ),
        ("Job", live(conditions("Complete", "True")), "", False),
        ("Job", live({}, suspend=True), "", False),
        (
            "Job",
            live(conditions("Failed", "True", reason="BackoffLimitExceeded", message="too often")),
            "it has failed: BackoffLimitExceeded: too often",
            True,
        ),
        ("Job", live({"succeeded": 1}, completions=3), "1 of 3 pods have succeeded", False),
    ],
)
def test_readiness(kind: str, content: dict[str, Any], waits_for: str, *, is_final: bool) -> None:
    rule = next(rule for (_, name), rule in RULES.items() if name == kind)
    verdict = rule.judge(content)
    assert verdict.waits_for.startswith(waits_for) if waits_for else not verdict.waits_for
    assert verdict.is_final == is_final


def test_yaml_documents_become_objects() -> None:
    items = "items: [{kind: B, metadata: {namespace: own}}]"
    text = f"kind: A\n---\n---\nkind: BList\n{items}\n---\nkind: C\nday: 2026-01-02\n"
    assert decode_documents("kubernetes:yaml:decode", {"text": text, "defaultNamespace": "shop"}) == [
        {"kind": "A", "metadata": {"namespace": "shop"}},
        {"kind": "B", "metadata": {"namespace": "own"}},
        {"kind": "C", "day": "2026-01-02", "metadata": {"namespace": "shop"}},
    ]
