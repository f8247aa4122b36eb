"""Turns each check on each target into one check result.

A check function names the fixtures ``control`` and ``observation`` (and ``host``, ``readings``, ``readings_of``,
``network``, ``nodes``, ``cluster``, ``vault`` as it needs them); which controls and targets it gets is data: the
control registry names the function, the fleet has the hosts.
Nothing but a check that ran to its end, and recorded what it read, is a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import pytest

from palisade.controls import Control
from palisade.fleet import FleetHost
from palisade.results import AppliedWaiver, CheckResult, Status
from palisade.verification.check import NotAssessable, Recorder
from palisade.verification.connections import Connections, Host
from palisade.verification.network import Network
from palisade.verification.readings import Readings
from palisade.verification.suite import CHECKS_DIRECTORY, Assignment
from palisade.verification.targets import ClusterTarget, Target, nodes_of
from palisade.verification.waivers import Waivers

if TYPE_CHECKING:
    from palisade.verification.cluster import Cluster
    from palisade.verification.vault_inside import VaultInside

_PartT = TypeVar("_PartT")
_OBSERVATION = pytest.StashKey[Recorder]()
_EXPLANATION = "\nassert "
"""How pytest's own explanation of an assertion starts; what stands before it is the message of the check."""


@dataclass(frozen=True)
class Checked:
    """One check result, and whether the check itself broke down (which is a failure, but proves nothing)."""

    result: CheckResult
    crashed: bool


@dataclass(frozen=True)
class Verdict:
    """What one run of a check function amounts to, before waivers."""

    status: Status
    reason: str = ""
    crashed: bool = False
    waiver: AppliedWaiver | None = None


def judge(error: BaseException | None, observation: Recorder) -> Verdict:
    """What a check that ended like this has shown.

    Args:
        error: What ended the check; None if it ran to its end.
        observation: What it recorded.
    """
    if error is None:
        if observation.is_empty:
            return Verdict(Status.FAIL, "the check crashed: it passed without recording what it read", crashed=True)
        return Verdict(Status.PASS)
    if isinstance(error, NotAssessable):
        if observation.file is None:
            return Verdict(Status.FAIL, f"the check crashed: it gave up before the file: {error}", crashed=True)
        return Verdict(Status.NOT_ASSESSABLE, str(error))
    if isinstance(error, AssertionError):
        message = f"\n{error}".split(_EXPLANATION)[0].strip()
        return Verdict(Status.FAIL, message or "the check failed without a message", crashed=not message)
    said = " ".join(str(error).split()) or "no message"
    return Verdict(Status.FAIL, f"the check crashed: {type(error).__name__}: {said}", crashed=True)


@dataclass(eq=False)
class VerificationPlugin:
    """Runs the chosen assignments and hands over one result for each.

    Args:
        assignments: What to run.
        connections: The hosts.
        waivers: Which failures are accepted.
        commit: The commit that is verified, for the results.
        listener: Called with each result as soon as it is known.
        readings: Per host name; filled on first use, and kept by the caller from one pytest run to the next.
        cluster: The cluster of the environment, if it has one.
        vault: What is inside its Vault, if it has a cluster.
    """

    assignments: tuple[Assignment, ...]
    connections: Connections
    waivers: Waivers
    commit: str
    listener: Callable[[Checked], None]
    readings: dict[str, Readings] = field(default_factory=dict)
    cluster: Cluster | None = None
    vault: VaultInside | None = None
    interrupted: bool = False
    """Whether Ctrl-C ended the run: pytest answers it with an exit code and goes on."""

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember a Ctrl-C, so that the caller can end as well."""
        self.interrupted = isinstance(excinfo.value, KeyboardInterrupt)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give a check function the controls that name it, on the targets that they apply to."""
        if "assignment" not in metafunc.fixturenames:
            return
        node = f"{CHECKS_DIRECTORY}/{metafunc.definition.path.name}::{metafunc.function.__name__}"
        chosen = [assignment for assignment in self.assignments if assignment.control.verified_by == node]
        names = [f"{assignment.target.name}-{assignment.control.id}" for assignment in chosen]
        metafunc.parametrize("assignment", chosen, ids=names)

    @pytest.fixture(name="control")
    def control_fixture(self, assignment: Assignment) -> Control:
        """The control that is checked."""
        return assignment.control

    @pytest.fixture(name="target")
    def target_fixture(self, assignment: Assignment) -> Target:
        """What is checked."""
        return assignment.target

    @pytest.fixture(name="observation")
    def observation_fixture(self, request: pytest.FixtureRequest) -> Recorder:
        """The recorder of what this check reads."""
        return request.node.stash[_OBSERVATION]  # type: ignore[no-any-return]

    @pytest.fixture(name="readings")
    def readings_fixture(self, target: Target) -> Readings:
        """The shared readings of the host."""
        return self.readings_of(_host(target))

    @pytest.fixture(name="host")
    def host_fixture(self, target: Target) -> Host:
        """The testinfra host, as root."""
        return self.connections.host(_host(target).name)

    @pytest.fixture(name="network")
    def network_fixture(self) -> Network:
        """Real connections between the hosts of the fleet."""
        return Network(self.readings_of)

    @pytest.fixture(name="cluster")
    def cluster_fixture(self) -> Cluster:
        """The cluster of the environment: its API server.

        Raises:
            LookupError: the environment has none.
        """
        return required(self.cluster)

    @pytest.fixture(name="vault")
    def vault_fixture(self) -> VaultInside:
        """What is inside the Vault of the environment.

        Raises:
            LookupError: the environment has no cluster, and so no Vault that is set up for it.
        """
        return required(self.vault)

    @pytest.fixture(name="nodes")
    def nodes_fixture(self) -> tuple[Readings, ...]:
        """The readings of the hosts on which pods run."""
        return tuple(self.readings_of(host) for host in nodes_of(self.connections.fleet))

    @pytest.fixture(name="readings_of")
    def readings_of_fixture(self) -> Callable[[FleetHost], Readings]:
        """The readings of another host, from which something is tried."""
        return self.readings_of

    def readings_of(self, target: FleetHost) -> Readings:
        """The readings of a host; the same object for all checks."""
        return self.readings.setdefault(target.name, Readings(target, self.connections))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Prepare the recorder before any fixture can fail."""
        item.stash[_OBSERVATION] = Recorder()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn the end of a check, or of its preparation if that failed, into a result."""
        report = yield
        callspec = getattr(item, "callspec", None)
        if callspec is None or "assignment" not in callspec.params or call.when == "teardown":
            return report
        if call.when == "setup" and call.excinfo is None:
            return report
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, (KeyboardInterrupt, pytest.exit.Exception)):
            return report
        observation = item.stash[_OBSERVATION]
        assignment: Assignment = callspec.params["assignment"]
        control, target = assignment.control, assignment.target
        verdict = self._waive(judge(error, observation), control, target)
        self.listener(
            Checked(
                CheckResult(
                    control=control.id,
                    target=target.name,
                    status=verdict.status,
                    expected=dict(control.expected),
                    observed=observation.to_observation(),
                    reason=verdict.reason,
                    commit=self.commit,
                    time=datetime.fromtimestamp(call.start, UTC),
                    duration_seconds=round(call.duration, 3),
                    waiver=verdict.waiver,
                ),
                crashed=verdict.crashed,
            )
        )
        _align(report, verdict, item)
        return report

    def _waive(self, verdict: Verdict, control: Control, target: Target) -> Verdict:
        waiver = self.waivers.find(control.id, target.name)
        if verdict.status is not Status.FAIL or verdict.crashed or waiver is None:
            return verdict
        if waiver.is_expired(datetime.now(UTC).date()):
            return Verdict(Status.FAIL, f"the waiver expired on {waiver.expires}: {verdict.reason}")
        applied = AppliedWaiver(reason=waiver.reason, expires=waiver.expires)
        return Verdict(Status.WAIVED, verdict.reason, waiver=applied)


def required(found: _PartT | None) -> _PartT:
    """The cluster, or its Vault, for who cannot do without.

    Raises:
        LookupError: the environment has no cluster.
    """
    if found is None:
        raise LookupError("the environment has no cluster")
    return found


def _host(target: Target) -> FleetHost:
    if isinstance(target, ClusterTarget):
        raise LookupError("the check reads a host, and its control applies to the cluster")
    return target


def _align(report: pytest.TestReport, verdict: Verdict, item: pytest.Item) -> None:
    """Make pytest's own report, and so its exit code, say the same as the result."""
    if verdict.status is Status.PASS:
        report.outcome = "passed"
    elif verdict.status is Status.FAIL:
        report.outcome = "failed"
        report.longrepr = verdict.reason if report.longrepr is None else report.longrepr
    else:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"{verdict.status}: {verdict.reason}")
