"""Proofs, with real changes of real files on this machine: what counts as noticed and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
import testinfra
from verification_sample import a_control, a_fleet, a_registry, a_suite

from palisade.controls import Scope
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.verification.connections import Connections
from palisade.verification.prove import Outcome, place, prove, selection
from palisade.verification.suite import assignments

pytestmark = pytest.mark.slow

CHECKS = """
    def _check(control, observation, readings):
        observation.file = readings.output(f"cat {control.expected['path']}").strip()
        assert observation.file == "good", f"it is {observation.file}"

    def test_watchful(control, observation, readings):
        _check(control, observation, readings)

    def test_blind(control, observation, readings):
        observation.file = "whatever"
"""


class ThisMachine(Connections):
    """Every host of the fleet is this machine, without SSH and sudo."""

    def host(self, name: str) -> testinfra.host.Host:  # noqa: ARG002
        return testinfra.get_host("local://")

    def require_reachable(self, hosts: tuple[FleetHost, ...]) -> None:
        assert hosts


@pytest.mark.parametrize(
    ("check", "before", "change", "restores", "outcome", "reason"),
    [
        ("watchful", "good", "echo bad > {path}", True, Outcome.KILLED, "it is bad"),
        ("blind", "good", "echo bad > {path}", True, Outcome.SURVIVED, "the check says: pass"),
        ("watchful", "good", "true # nothing", True, Outcome.SURVIVED, "the check says: pass"),
        ("watchful", "good", "rm {path}", True, Outcome.SURVIVED, "the check crashed: ReadingFailedError"),
        ("watchful", "odd", "echo bad > {path}", True, Outcome.NOT_TRIED, "fails before the change: it is odd"),
        ("watchful", "good", "echo no >&2; false", True, Outcome.NOT_TRIED, "the change ended with exit code 1: no"),
        (
            "watchful",
            "good",
            "echo bad > {path}",
            False,
            Outcome.NOT_RESTORED,
            "after hardening the check says fail: it is bad",
        ),
    ],
    ids=[
        "noticed",
        "blind check",
        "no change",
        "a crash notices nothing",
        "fails before",
        "change fails",
        "not restored",
    ],
)
def test_one_proof(
    tmp_path: Path, check: str, before: str, change: str, *, restores: bool, outcome: Outcome, reason: str
) -> None:
    setting = tmp_path / "setting"
    setting.write_text(before, encoding="utf-8")
    control = a_control(
        "tiny-control",
        check=f"tests/verify/test_proof.py::test_{check}",
        expected={"path": str(setting)},
        proven_by=change.format(path=setting),
    )
    registry, fleet = a_registry(control), a_fleet()

    def harden() -> None:
        if restores:
            setting.write_text("good", encoding="utf-8")

    with ThisMachine(fleet) as connections:
        suite = a_suite(tmp_path, "test_proof.py", CHECKS, registry, connections)
        run = prove(suite, selection(registry, fleet), harden=harden)
    (proof,) = run.proofs
    assert (proof.outcome, proof.host) == (outcome, "registry-1")
    assert proof.reason.startswith(reason)
    assert run.kill_rate == (1 if outcome is Outcome.KILLED else 0)


def test_hosts_are_hardened_again_when_a_proof_is_interrupted(tmp_path: Path) -> None:
    control = a_control("tiny-control", check="tests/verify/test_interrupted.py::test_tiny")
    registry, fleet = a_registry(control), a_fleet()
    hardened = []
    with ThisMachine(fleet) as connections:
        suite = a_suite(
            tmp_path, "test_interrupted.py", "def test_tiny(control): raise KeyboardInterrupt", registry, connections
        )
        with pytest.raises(KeyboardInterrupt):
            prove(suite, selection(registry, fleet), harden=lambda: hardened.append(True))
    assert hardened == [True]


def fleet_of_three() -> Fleet:
    return a_fleet(bastion_1=HostGroup.BASTION, registry_1=HostGroup.REGISTRY, db_1=HostGroup.DATABASE)


@pytest.mark.parametrize(
    ("groups", "host"),
    [
        (tuple(HostGroup), "registry-1"),
        ((HostGroup.BASTION, HostGroup.DATABASE), "db-1"),
        ((HostGroup.BASTION,), "bastion-1"),
    ],
)
def test_the_bastion_is_broken_only_where_nothing_else_will_do(groups: tuple[HostGroup, ...], host: str) -> None:
    assert place(a_control("tiny-control", applies_to=groups), fleet_of_three()).name == host


def test_a_control_of_pods_is_proven_on_a_node_and_one_of_the_cluster_there() -> None:
    fleet = a_fleet(control_1=HostGroup.CONTROL, registry_1=HostGroup.REGISTRY)
    assert place(a_control("tiny-control", applies_to=(Scope.NODE,)), fleet).name == "registry-1"
    assert place(a_control("tiny-control", applies_to=(HostGroup.CONTROL,)), fleet).name == "control-1"
    assert place(a_control("tiny-control", applies_to=(Scope.CLUSTER,)), fleet).name == "cluster"


def test_each_control_is_proven_once() -> None:
    registry = a_registry(a_control("control-b", applies_to=tuple(HostGroup)), a_control("control-a"))
    fleet = fleet_of_three()
    assert len(assignments(registry, fleet)) == 4
    assert [item.key for item in selection(registry, fleet)] == [
        ("control-a", "registry-1"),
        ("control-b", "registry-1"),
    ]
