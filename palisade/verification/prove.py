"""Proves that checks can fail: breaks each setting on a live target, and the check of that setting must notice.

The changes add up on the hosts, so each check is run immediately before its change (it must not fail yet) and
immediately after it (it must fail, and not by breaking down). The objects of the cluster are put back after each
change. At the end the hosts are hardened once, and every check must be back to what it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from palisade.console import Steps
from palisade.controls import Control, ControlRegistry, Scope, VaultDeclaration
from palisade.fleet import Fleet, HostGroup
from palisade.results import Status
from palisade.verification.connections import CommandResult
from palisade.verification.kubectl import run_with_kubectl
from palisade.verification.run import Suite
from palisade.verification.session import Checked
from palisade.verification.snapshot import restore, take
from palisade.verification.suite import Assignment, assignments
from palisade.verification.targets import CLUSTER_TARGET, ClusterTarget, Target, applies
from palisade.verification.waiting import read_until
from palisade.verification.waivers import Waivers

_UNBROKEN = {Status.PASS, Status.NOT_ASSESSABLE}
PREFERRED = (HostGroup.REGISTRY, HostGroup.DATABASE, HostGroup.CONTROL, HostGroup.VAULT, HostGroup.BASTION)
"""On which host a control is proven: the bastion comes last, because the way to all others leads through it."""
SETTLE_SECONDS = 10
"""How long the programs of a cluster may take to see a change; an API server needs a second for its own policies."""
CONNECT = "Connect"
BREAK = "Break one setting after the other"
HARDEN = "Harden the hosts"
BACK = "Check that everything is back"
UNCHANGED = "Ask Pulumi whether the cluster is as it left it"


class Outcome(StrEnum):
    """What a proof has shown."""

    KILLED = "killed"
    """The setting was broken and the check noticed; put back, the check was back to what it was."""
    SURVIVED = "survived"
    """The setting was broken and the check did not notice."""
    NOT_TRIED = "not_tried"
    """The check failed before, or the change could not be made."""
    NOT_RESTORED = "not_restored"
    """The check noticed, but hardening (or putting the objects back) did not bring the setting back."""


@dataclass(frozen=True)
class Proof:
    """One control: was its check able to fail?"""

    control: str
    host: str
    mutation: str
    outcome: Outcome
    reason: str
    """Why the check failed after the change, or what is wrong with the proof."""
    seconds: float


@dataclass(frozen=True)
class ProofRun:
    """All proofs of a run."""

    proofs: tuple[Proof, ...]
    seconds: float

    @property
    def killed(self) -> int:
        """How many changes were noticed and taken back."""
        return sum(proof.outcome is Outcome.KILLED for proof in self.proofs)

    @property
    def survivors(self) -> tuple[Proof, ...]:
        """The changes that were not noticed, not taken back, or not tried."""
        return tuple(proof for proof in self.proofs if proof.outcome is not Outcome.KILLED)

    @property
    def kill_rate(self) -> float:
        """The share of changes that were noticed and taken back, from 0 to 1."""
        return self.killed / len(self.proofs)


def place(control: Control, fleet: Fleet) -> Target:
    """Where a control is proven."""
    for group in PREFERRED:
        for host in fleet.in_group(group):
            if applies(control, host, fleet):
                return host
    return CLUSTER_TARGET


def selection(
    registry: ControlRegistry, fleet: Fleet, *, cluster: bool = False, controls: Collection[str] = ()
) -> tuple[Assignment, ...]:
    """Each control on the one target on which it is proven, ordered by control.

    Args:
        registry: The control registry.
        fleet: The hosts.
        cluster: Whether the environment has a cluster.
        controls: Only these control ids; all when empty.

    Raises:
        PalisadeError: an unknown control, or nothing is left to prove.
    """
    found = {item.control.id: item.control for item in assignments(registry, fleet, cluster=cluster, controls=controls)}
    return tuple(Assignment(found[name], place(found[name], fleet)) for name in sorted(found))


def prove(
    suite: Suite,
    chosen: tuple[Assignment, ...],
    *,
    harden: Callable[[], None],
    require_unchanged: Callable[[], None] | None = None,
) -> ProofRun:
    """Break, check, harden, check.

    Args:
        suite: The checks, the hosts and the cluster.
        chosen: What to prove; each control on one target.
        harden: Hardens all hosts; it is called once if any was broken, also when the proofs are interrupted.
        require_unchanged: Called at the end if the cluster was changed; raises unless its objects are as they were.

    Raises:
        PalisadeError: a target cannot be reached, the suite is broken, or the hosts could not be hardened again.
    """
    started = time.monotonic()
    # An accepted failure is a failure here: the question is whether the check notices.
    suite = replace(suite, waivers=Waivers())
    kinds = {isinstance(item.target, ClusterTarget) for item in chosen}
    hosts, finish = False in kinds, require_unchanged if True in kinds else None
    steps = Steps([CONNECT, BREAK, *([HARDEN] if hosts else []), BACK, *([UNCHANGED] if finish else [])])
    with steps.step(CONNECT):
        suite.require_reachable(chosen)
    proofs: list[Proof] = []
    before: dict[tuple[str, str], Status] = {}
    try:
        with steps.step(BREAK, usually="two seconds each") as running:
            for number, assignment in enumerate(chosen, start=1):
                running.detail(f"{number} of {len(chosen)}: {assignment.control.id}")
                proof, status = _break(suite, assignment)
                proofs.append(proof)
                if proof.outcome is not Outcome.KILLED:
                    running.note(f"{proof.control} on {proof.host}: {proof.outcome.replace('_', ' ')}: {proof.reason}")
                before[assignment.key] = status
            running.outcome = f"{sum(proof.outcome is Outcome.KILLED for proof in proofs)} of {len(chosen)} noticed"
    finally:
        if hosts:
            with steps.step(HARDEN, usually="a minute"):
                harden()
    with steps.step(BACK):
        suite.forget()
        checked = {(item.result.control, item.result.target): item for item in suite.run(chosen)}
    if finish is not None:
        with steps.step(UNCHANGED):
            finish()
    final = tuple(_restored(proof, before, checked) for proof in proofs)
    return ProofRun(proofs=final, seconds=round(time.monotonic() - started, 1))


def _break(suite: Suite, assignment: Assignment) -> tuple[Proof, Status]:
    started = time.monotonic()
    control, target = assignment.control, assignment.target

    def proof(outcome: Outcome, reason: str) -> Proof:
        seconds = round(time.monotonic() - started, 2)
        return Proof(control.id, target.name, control.proven_by, outcome, reason, seconds)

    before = _settled(suite, assignment, _UNBROKEN)
    if before.result.status not in _UNBROKEN:
        return proof(Outcome.NOT_TRIED, f"fails before the change: {before.result.reason}"), before.result.status
    with _put_back(suite, assignment):
        change = _change(suite, assignment)
        if change.rc != 0:
            said = " ".join(change.stderr.split()[-30:])
            reason = f"the change ended with exit code {change.rc}: {said}"
            return proof(Outcome.NOT_TRIED, reason), before.result.status
        after = _settled(suite, assignment, {Status.FAIL})
    if isinstance(target, ClusterTarget):
        _settled(suite, assignment, {before.result.status})
    if after.crashed or after.result.status is not Status.FAIL:
        reason = after.result.reason or f"the check says: {after.result.status.words}"
        return proof(Outcome.SURVIVED, reason), before.result.status
    return proof(Outcome.KILLED, after.result.reason), before.result.status


def _change(suite: Suite, assignment: Assignment) -> CommandResult:
    control, target = assignment.control, assignment.target
    if not isinstance(target, ClusterTarget):
        return suite.connections.host(target.name).run(control.proven_by)
    of_vault = isinstance(control.implemented_by, VaultDeclaration)
    variables = suite.required_vault.variables if of_vault else None
    return run_with_kubectl(suite.required_cluster.access, control.proven_by, variables=variables)


@contextmanager
def _put_back(suite: Suite, assignment: Assignment) -> Iterator[None]:
    """Put the objects of the cluster, or what is inside Vault, back; a host keeps its changes until it is hardened."""
    if not isinstance(assignment.target, ClusterTarget):
        yield
        return
    if isinstance(assignment.control.implemented_by, VaultDeclaration):
        try:
            yield
        finally:
            suite.required_vault.put_back()
        return
    before = take(suite.required_cluster)
    try:
        yield
    finally:
        restore(suite.required_cluster, before)


def _settled(suite: Suite, assignment: Assignment, wanted: Collection[Status]) -> Checked:
    """What the check says; of a cluster, once what was changed before has reached whoever acts on it."""
    control = assignment.control
    of_cluster = bool({*Scope} & {*control.applies_to}) or control.applies_to == (HostGroup.CONTROL,)
    return read_until(
        lambda: _check(suite, assignment),
        lambda checked: checked.result.status in wanted and not checked.crashed,
        seconds=SETTLE_SECONDS if of_cluster else 0,
    )


def _check(suite: Suite, assignment: Assignment) -> Checked:
    suite.forget()
    (checked,) = suite.run((assignment,))
    return checked


def _restored(proof: Proof, before: dict[tuple[str, str], Status], checked: dict[tuple[str, str], Checked]) -> Proof:
    key = (proof.control, proof.host)
    result = checked[key].result
    if proof.outcome is not Outcome.KILLED or result.status is before[key]:
        return proof
    reason = f"after hardening the check says {result.status.words}: {result.reason}"
    return Proof(proof.control, proof.host, proof.mutation, Outcome.NOT_RESTORED, reason, proof.seconds)
