"""When an object of each kind is ready. Each function looks at one live object and needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kubernetes_provider.paths import get

Live: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """Whether an object is ready."""

    waits_for: str = ""
    """What is missing, in words; empty: it is ready."""
    is_final: bool = False
    """Whether waiting longer is of no use."""


READY = Verdict()


@dataclass(frozen=True)
class Rule:
    """How long a kind is waited for."""

    judge: Callable[[Live], Verdict]
    most_seconds: float | None = None
    """After this time the object counts as ready although nobody has said so: what says so is a controller that not
    every cluster runs, and nothing depends on it."""
    since_apply: str = ""
    """A condition that counts only if it is newer than the apply: one that was there before is about an earlier try."""

    def verdict(self, live: Live, applied: Live) -> Verdict:
        """Whether an object is ready.

        Args:
            live: As it is now.
            applied: As it was in the answer to the apply. The server's own times are compared: clocks differ.
        """
        own, before = condition(live, self.since_apply), condition(applied, self.since_apply)
        if own and before and own.get("lastUpdateTime") == before.get("lastUpdateTime"):
            others = [one for one in live["status"]["conditions"] if one is not own]
            live = {**live, "status": {**live["status"], "conditions": others}}
        return self.judge(live)


def condition(live: Live, name: str) -> Mapping[str, Any]:
    """The condition of this type in the status; empty if there is none."""
    for one in get(live, "status", "conditions") or []:
        if one.get("type") == name:
            found: Mapping[str, Any] = one
            return found
    return {}


def wait_for_condition(name: str, status: str = "True") -> Callable[[Live], Verdict]:
    """The rule of a kind that is ready when a condition of its status says so."""

    def judge(live: Live) -> Verdict:
        found = condition(live, name)
        if found.get("status") == status:
            return READY
        detail = ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))
        return Verdict(f"condition {name} is not {status}" + (f" ({detail})" if detail else ""))

    return judge


def _is_observed(live: Live) -> bool:
    return bool(get(live, "status", "observedGeneration") == get(live, "metadata", "generation"))


def _count(live: Live, field: str) -> int:
    return get(live, "status", field) or 0


def _wanted(live: Live) -> int:
    replicas = get(live, "spec", "replicas")
    return 1 if replicas is None else int(replicas)


def _namespace(live: Live) -> Verdict:
    phase = get(live, "status", "phase")
    return READY if phase == "Active" else Verdict(f"phase is {phase}", is_final=phase == "Terminating")


def _definition(live: Live) -> Verdict:
    names = condition(live, "NamesAccepted")
    if names.get("status") == "False":
        return Verdict(f"its names are not accepted: {names.get('message')}", is_final=True)
    return wait_for_condition("Established")(live)


def _deployment(live: Live) -> Verdict:
    if get(live, "spec", "paused"):
        return READY
    progress = condition(live, "Progressing")
    if _is_observed(live) and progress.get("reason") == "ProgressDeadlineExceeded":
        return Verdict(str(progress.get("message")), is_final=True)
    wanted = _wanted(live)
    available, updated, every = (
        _count(live, "availableReplicas"),
        _count(live, "updatedReplicas"),
        _count(live, "replicas"),
    )
    if _is_observed(live) and updated == available == every == wanted:
        return READY
    return Verdict(f"{min(available, updated)} of {wanted} pods are new and available")


def _stateful_set(live: Live) -> Verdict:
    strategy = get(live, "spec", "updateStrategy") or {}
    wanted, ready, updated = _wanted(live), _count(live, "readyReplicas"), _count(live, "updatedReplicas")
    if strategy.get("type") == "OnDelete":
        updated = wanted
    expected = wanted - (get(strategy, "rollingUpdate", "partition") or 0)
    if _is_observed(live) and ready == wanted and updated >= expected:
        return READY
    return Verdict(f"{ready} of {wanted} pods are ready, {updated} are new")


def _daemon_set(live: Live) -> Verdict:
    wanted = _count(live, "desiredNumberScheduled")
    available, updated = _count(live, "numberAvailable"), _count(live, "updatedNumberScheduled")
    if get(live, "spec", "updateStrategy", "type") == "OnDelete":
        updated = wanted
    if _is_observed(live) and available == updated == wanted:
        return READY
    return Verdict(f"{min(available, updated)} of {wanted} pods are new and available")


def _replica_set(live: Live) -> Verdict:
    wanted, ready = _wanted(live), _count(live, "readyReplicas")
    return READY if _is_observed(live) and ready == wanted else Verdict(f"{ready} of {wanted} pods are ready")


def _job(live: Live) -> Verdict:
    if get(live, "spec", "suspend") or condition(live, "Complete").get("status") == "True":
        return READY
    failed = condition(live, "Failed")
    if failed.get("status") == "True":
        return Verdict(f"it has failed: {failed.get('reason')}: {failed.get('message')}", is_final=True)
    wanted = get(live, "spec", "completions") or 1
    return Verdict(f"{_count(live, 'succeeded')} of {wanted} pods have succeeded")


def _pod(live: Live) -> Verdict:
    phase = get(live, "status", "phase")
    if phase == "Succeeded" or condition(live, "Ready").get("status") == "True":
        return READY
    return Verdict(f"phase is {phase}, not ready", is_final=phase == "Failed")


def _service(live: Live) -> Verdict:
    is_balanced = get(live, "spec", "type") == "LoadBalancer"
    if is_balanced and not get(live, "status", "loadBalancer", "ingress"):
        return Verdict("the load balancer has no address yet")
    return READY


def _claim(live: Live) -> Verdict:
    phase = get(live, "status", "phase")
    return READY if phase == "Bound" else Verdict(f"phase is {phase}", is_final=phase == "Lost")


def _volume(live: Live) -> Verdict:
    phase = get(live, "status", "phase")
    return READY if phase in {"Available", "Bound"} else Verdict(f"phase is {phase}", is_final=phase == "Failed")


def _quota(live: Live) -> Verdict:
    is_counted = get(live, "status", "hard") == get(live, "spec", "hard")
    return READY if is_counted else Verdict("what is used is not counted yet")


def _admission_policy(live: Live) -> Verdict:
    if get(live, "status", "observedGeneration") != get(live, "metadata", "generation"):
        return Verdict("its expressions are not type-checked yet")
    warnings = get(live, "status", "typeChecking", "expressionWarnings") or []
    findings = [f"{one.get('fieldRef')}: {one.get('warning')}" for one in warnings]
    return (
        Verdict("its expressions do not fit their types:\n" + "\n".join(findings), is_final=True) if findings else READY
    )


RULES: Mapping[tuple[str, str], Rule] = {
    ("", "Namespace"): Rule(_namespace),
    ("", "PersistentVolume"): Rule(_volume),
    ("", "PersistentVolumeClaim"): Rule(_claim),
    ("", "Pod"): Rule(_pod),
    ("", "ReplicationController"): Rule(_replica_set),
    ("", "ResourceQuota"): Rule(_quota, most_seconds=5),
    ("", "Service"): Rule(_service),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): Rule(_admission_policy, most_seconds=10),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(_definition),
    ("apiregistration.k8s.io", "APIService"): Rule(wait_for_condition("Available")),
    ("apps", "DaemonSet"): Rule(_daemon_set),
    ("apps", "Deployment"): Rule(_deployment, since_apply="Progressing"),
    ("apps", "ReplicaSet"): Rule(_replica_set),
    ("apps", "StatefulSet"): Rule(_stateful_set),
    ("batch", "Job"): Rule(_job),
}
"""By group and kind; objects of other kinds are ready when the server has accepted them."""
