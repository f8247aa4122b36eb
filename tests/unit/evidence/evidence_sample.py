"""Builds registries and runs for the tests of the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from palisade.controls import Control, ControlRegistry, Framework, RoleTag, Scope, StackComponent
from palisade.fleet import HostGroup
from palisade.results import AppliedWaiver, CheckResult, Observation, Status, VerificationRun

STARTED = datetime(2026, 11, 22, 6, 11, 31, tzinfo=UTC)
COMMIT = "4810d87c2a4be3c7dfb1f8a1f0e0b8a5c9f1c2d3-dirty"
WAIVER = AppliedWaiver(reason="The old catalogue needs a tunnel until it is moved.", expires=date(2026, 12, 15))
REASONS = {
    Status.PASS: "",
    Status.FAIL: "net.ipv4.ip_forward is '1' in the running kernel, expected '0'",
    Status.WAIVED: "AllowTcpForwarding is 'local', expected 'no'",
    Status.NOT_ASSESSABLE: "The kernel is shared with the machine that runs the container.",
}


def a_control(
    identifier: str,
    *,
    role: str = "os_hardening",
    tag: str = "sysctl",
    references: Mapping[Framework, tuple[str, ...]] | None = None,
) -> Control:
    return Control(
        id=identifier,
        title=f"The title of {identifier}",
        why="Because an attacker could otherwise steer traffic through a host of theirs.",
        applies_to=tuple(HostGroup),
        implemented_by=RoleTag(role=role, tag=tag),
        verified_by="tests/verify/test_sysctl.py::test_value",
        expected={"net.ipv4.ip_forward": "0"},
        proven_by="sysctl -w net.ipv4.ip_forward=1",
        references=dict(references or {Framework.NIST_800_53: ("SC-7",)}),
    )


def a_result(
    control: str,
    target: str,
    status: Status = Status.PASS,
    *,
    file: Any = "0",
    runtime: Any = "0",
    reason: str | None = None,
    seconds: int = 0,
) -> CheckResult:
    return CheckResult(
        control=control,
        target=target,
        status=status,
        expected={"net.ipv4.ip_forward": "0"},
        observed=Observation(file=file, runtime=runtime),
        reason=REASONS[status] if reason is None else reason,
        commit=COMMIT,
        time=STARTED + timedelta(seconds=seconds),
        duration_seconds=0.037,
        waiver=WAIVER if status is Status.WAIVED else None,
    )


def a_run(results: Sequence[CheckResult], *, environment: str = "local") -> VerificationRun:
    return VerificationRun(
        environment=environment, commit=COMMIT, started=STARTED, duration_seconds=31.4, results=tuple(results)
    )


def a_registry(*controls: Control) -> ControlRegistry:
    return ControlRegistry(controls=tuple(sorted(controls, key=lambda control: control.id)))


def every_status() -> tuple[VerificationRun, ControlRegistry]:
    """Two hosts, one control for each status, and one control that was not checked."""
    registry = a_registry(
        a_control("always-passes", references={Framework.PCI_DSS: ("2.2.6",), Framework.NIST_800_53: ("SC-7", "CM-6")}),
        a_control("fails-on-one", role="ssh_hardening", tag="sshd"),
        a_control("is-waived", role="firewall", tag="firewall", references={Framework.GDPR: ("Art. 32(1)(b)",)}),
        a_control("cannot-be-shown", references={Framework.HIPAA: ("164.312(b)",), Framework.NIST_800_53: ("SC-7",)}),
        a_control("never-checked"),
    )
    results = [
        a_result("always-passes", "db-1", seconds=1),
        a_result("always-passes", "registry-1", seconds=2),
        a_result("cannot-be-shown", "db-1", Status.NOT_ASSESSABLE, runtime=None),
        a_result("cannot-be-shown", "registry-1", Status.NOT_ASSESSABLE, runtime=None),
        a_result("fails-on-one", "db-1"),
        a_result("fails-on-one", "registry-1", Status.FAIL, runtime="1"),
        a_result("is-waived", "registry-1", Status.WAIVED, runtime="local"),
    ]
    return a_run(results), registry


def with_a_cluster() -> tuple[VerificationRun, ControlRegistry]:
    """Two hosts and the cluster, which has a control of its own that fails."""
    of_cluster = a_control("of-the-cluster").model_copy(
        update={"applies_to": (Scope.CLUSTER,), "implemented_by": StackComponent(component="network")}
    )
    reason = "NetworkPolicy palisade-registry/default-deny is missing"
    results = [
        a_result("of-the-cluster", "cluster", Status.FAIL, file=None, runtime={}, reason=reason),
        a_result("of-hosts", "registry-1"),
        a_result("of-hosts", "db-1"),
    ]
    return a_run(results), a_registry(of_cluster, a_control("of-hosts"))


def of_sets() -> tuple[VerificationRun, ControlRegistry]:
    """A run whose values have no order of their own."""
    result = a_result("some-control", "db-1", file=set("abcdefgh"), runtime={"names": frozenset("abcdefgh")})
    return a_run([result]), a_registry(a_control("some-control"))


def many(*, controls: int, hosts: int, value: str = "0") -> tuple[VerificationRun, ControlRegistry]:
    """A large run: every tenth control cannot be shown, one check fails, one is waived."""
    names = [f"control-{number:03}" for number in range(controls)]
    targets = [f"registry-{number}" for number in range(1, hosts + 1)]
    statuses = {(0, 0): Status.FAIL, (1, 0): Status.WAIVED}
    results = [
        a_result(
            name,
            target,
            statuses.get((row, column), Status.NOT_ASSESSABLE if row % 10 == 5 else Status.PASS),
            runtime=value,
        )
        for row, name in enumerate(names)
        for column, target in enumerate(targets)
    ]
    return a_run(results), a_registry(*(a_control(name) for name in names))
