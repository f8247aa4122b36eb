"""Control and waiver files that are refused, each with the message that a person gets."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from verification_sample import a_control, a_fleet, a_registry

from palisade.controls import Scope, load_controls
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.fleet import HostGroup
from palisade.verification.suite import assignments, selection_of
from palisade.verification.waivers import load_waivers

GOOD = """\
- id: net-syn-cookies
  title: A flood does not stop the service
  why: Honest clients get in while a flood is on.
  applies_to: [registry]
  implemented_by: {role: os_hardening, tag: sysctl}
  verified_by: tests/verify/test_kernel.py::test_network_setting
  expected: {settings: {net.ipv4.tcp_syncookies: "1"}}
  proven_by: sysctl -qw net.ipv4.tcp_syncookies=0
  references: {nist_800_53: [SC-5], pci_dss_4_0_1: [2.2.6]}
"""


def read(tmp_path: Path, text: str) -> str:
    folder = tmp_path / "policies" / "controls"
    folder.mkdir(parents=True)
    (folder / "network.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_controls(tmp_path)
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("- id: net", "id: net", ["not YAML"]),
        (GOOD, "{}", ["does not hold a list of controls"]),
        (GOOD, GOOD + GOOD, ["net-syn-cookies is used twice"]),
        ("net-syn-cookies", "Net_Syn", ["[0].id", "pattern"]),
        ("  why: Honest clients get in while a flood is on.\n", "", ["[0].why", "required"]),
        ("Honest clients get in while a flood is on.", "Good.", ["[0].why", "at least 20"]),
        ("[registry]", "[]", ["[0].applies_to", "at least 1"]),
        (
            "[registry]",
            "[router]",
            ["[0].applies_to", "'router' is nothing that a control applies to: bastion, control,", "cluster, node"],
        ),
        ("tag: sysctl", "task: sysctl", ["[0].implemented_by"]),
        ("{role: os_hardening, tag: sysctl}", "{component: network, tag: sysctl}", ["[0].implemented_by"]),
        ("tests/verify/test_kernel.py::test_network_setting", "test_kernel.py", ["[0].verified_by", "pattern"]),
        ('{settings: {net.ipv4.tcp_syncookies: "1"}}', "{}", ["[0].expected", "at least 1"]),
        ("  proven_by: sysctl -qw net.ipv4.tcp_syncookies=0\n", "", ["[0].proven_by", "required"]),
        ("{nist_800_53: [SC-5], pci_dss_4_0_1: [2.2.6]}", "{}", ["[0].references", "at least 1"]),
        ("nist_800_53:", "nist:", ["[0].references.nist"]),
        ("nist_800_53: [SC-5]", "cis_kubernetes_1_11: ['6.1']", ["a recommendation such as 1.2.6"]),
        ("[SC-5]", "[SC5]", ["[0].references", "'SC5' is not a reference to nist_800_53: a control such as AC-6"]),
        ("[2.2.6]", "['13.1']", ["'13.1' is not a reference to pci_dss_4_0_1: a requirement such as 2.2.6"]),
        ("  title:", "  owner: me\n  title:", ["[0].owner", "Extra inputs"]),
        ("  title:", "  title: Another one\n  title:", ["title stands twice"]),
    ],
)
def test_refused_control_files(tmp_path: Path, old: str, new: str, messages: list[str]) -> None:
    assert old in GOOD
    said = read(tmp_path, GOOD.replace(old, new, 1))
    assert all(message in said for message in messages), said


def test_without_a_control_nothing_would_be_verified(tmp_path: Path) -> None:
    (tmp_path / "policies" / "controls").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="nothing would be verified"):
        load_controls(tmp_path)


def test_a_good_control_file(tmp_path: Path) -> None:
    folder = tmp_path / "policies" / "controls"
    folder.mkdir(parents=True)
    (folder / "network.yaml").write_text(GOOD, encoding="utf-8")
    (control,) = load_controls(tmp_path).controls
    assert (control.id, control.applies_to) == ("net-syn-cookies", (HostGroup.REGISTRY,))


WAIVER = """\
- control: registry-only
  targets: [registry-1]
  reason: The old catalogue needs a tunnel until it is moved.
  expires: 2026-12-31
"""
REGISTRY = a_registry(a_control("registry-only"))


def waive(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "policies" / "waivers"
    folder.mkdir(parents=True)
    (folder / "local.yaml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (WAIVER, "waivers: []", ["does not hold a list of waivers", "[] for none"]),
        ("- control", "control", ["not YAML"]),
        ("registry-only", "registry-onyl", ["[0].control", "There is no control 'registry-onyl'"]),
        ("[registry-1]", "[registry-9]", ["[0].targets", "no host 'registry-9' in local", "bastion-1, registry-1"]),
        ("[registry-1]", "[bastion-1]", ["does not apply to bastion-1", "hosts of the groups registry"]),
        ("[registry-1]", "[]", ["[0].targets", "at least 1"]),
        ("[registry-1]", "['*']", ["no host '*' in local"]),
        ("  expires: 2026-12-31\n", "", ["[0].expires", "required"]),
        ("2026-12-31", "never", ["[0].expires", "valid date"]),
        ("The old catalogue needs a tunnel until it is moved.", "Later.", ["[0].reason", "at least 20"]),
        (WAIVER, WAIVER + WAIVER, ["[1]", "registry-only is waived twice on registry-1"]),
        ("  expires:", "  by: me\n  expires:", ["[0].by", "Extra inputs"]),
    ],
)
def test_refused_waiver_files(tmp_path: Path, old: str, new: str, messages: list[str]) -> None:
    assert old in WAIVER
    with pytest.raises(ConfigurationError) as caught:
        load_waivers(waive(tmp_path, WAIVER.replace(old, new, 1)), REGISTRY, a_fleet())
    assert all(message in str(caught.value) for message in messages), str(caught.value)


def test_a_waiver_holds_through_its_last_day(tmp_path: Path) -> None:
    waivers = load_waivers(waive(tmp_path, WAIVER), REGISTRY, a_fleet())
    waiver = waivers.find("registry-only", "registry-1")
    assert waiver is not None
    assert not waiver.is_expired(date(2026, 12, 31))
    assert waiver.is_expired(date(2027, 1, 1))
    assert waivers.find("registry-only", "bastion-1") is None
    assert waivers.find("another-control", "registry-1") is None


def test_an_environment_without_a_waiver_file_has_none(tmp_path: Path) -> None:
    assert load_waivers(tmp_path, REGISTRY, a_fleet()).entries == ()


def test_each_control_on_each_host_of_its_groups() -> None:
    fleet = a_fleet(bastion_1=HostGroup.BASTION, registry_1=HostGroup.REGISTRY, registry_2=HostGroup.REGISTRY)
    registry = a_registry(a_control("registry-only"), a_control("both-groups", applies_to=tuple(HostGroup)))
    assert [item.key for item in assignments(registry, fleet)] == [
        ("both-groups", "bastion-1"),
        ("both-groups", "registry-1"),
        ("registry-only", "registry-1"),
        ("both-groups", "registry-2"),
        ("registry-only", "registry-2"),
    ]
    assert [item.key for item in assignments(registry, fleet, controls=["registry-only"], targets=["registry-2"])] == [
        ("registry-only", "registry-2")
    ]


def test_a_part_says_how_much_there_is_and_on_what_nothing_runs() -> None:
    registry = a_registry(a_control("registry-only"), a_control("everywhere", applies_to=tuple(HostGroup)))
    fleet = a_fleet(bastion_1=HostGroup.BASTION, registry_1=HostGroup.REGISTRY, registry_2=HostGroup.REGISTRY)
    every = assignments(registry, fleet)
    part = selection_of(every, assignments(registry, fleet, targets=["registry-2"]), [], ["registry-2"])
    assert (part.checks, part.controls, part.targets) == (len(every), (), ("registry-2",))
    assert part.left_out == ("bastion-1", "registry-1")


def test_a_fleet_without_a_cluster_has_no_controls_of_one() -> None:
    registry = a_registry(
        a_control("of-a-node", applies_to=(Scope.NODE,)),
        a_control("of-the-cluster", applies_to=(Scope.CLUSTER,)),
        a_control("of-control-hosts", applies_to=(HostGroup.CONTROL,)),
        a_control("registry-only"),
    )
    without = a_fleet(registry_1=HostGroup.REGISTRY, db_1=HostGroup.DATABASE)
    assert [item.key for item in assignments(registry, without)] == [("registry-only", "registry-1")]
    fleet = a_fleet(control_1=HostGroup.CONTROL, registry_1=HostGroup.REGISTRY, db_1=HostGroup.DATABASE)
    assert [item.key for item in assignments(registry, fleet, cluster=True)] == [
        ("of-control-hosts", "control-1"),
        ("of-a-node", "registry-1"),
        ("registry-only", "registry-1"),
        ("of-the-cluster", "cluster"),
    ]


@pytest.mark.parametrize("cluster", [True, False])
def test_a_waiver_of_the_cluster_needs_one(tmp_path: Path, *, cluster: bool) -> None:
    registry = a_registry(a_control("registry-only", applies_to=(Scope.CLUSTER,)))
    root = waive(tmp_path, WAIVER.replace("registry-1", "cluster"))
    if cluster:
        waivers = load_waivers(root, registry, a_fleet(), cluster=True)
        assert waivers.find("registry-only", "cluster") is not None
    else:
        with pytest.raises(ConfigurationError, match="There is no host 'cluster' in local"):
            load_waivers(root, registry, a_fleet())


@pytest.mark.parametrize(
    ("controls", "hosts", "message"),
    [
        (["registry-onyl"], [], "There is no control 'registry-onyl'"),
        ([], ["registry-9"], "There is no host 'registry-9'"),
        (["registry-only"], ["bastion-1"], "nothing would be verified"),
    ],
)
def test_a_choice_that_checks_nothing_is_refused(controls: list[str], hosts: list[str], message: str) -> None:
    with pytest.raises(PalisadeError) as caught:
        assignments(REGISTRY, a_fleet(), controls=controls, targets=hosts)
    assert message in str(caught.value)
    assert caught.value.exit_code is ExitCode.USAGE
