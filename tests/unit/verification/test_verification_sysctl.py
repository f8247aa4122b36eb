"""What the files set together, and what the kernel makes of the values of an interface."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from verification_sample import a_fleet

from palisade.controls import load_controls
from palisade.fleet import Fleet, FleetHost, FleetNetworks
from palisade.verification import sysctl
from palisade.verification.check import Recorder
from palisade.verification.sysctl import effective, expected_in_files, in_files, parse_settings
from tests.check_modules import ROOT, checks_of


def test_settings_as_the_tools_print_them() -> None:
    text = (
        "# /etc/sysctl.d/x.conf\nnet.ipv4.ip_forward=1\n-net/ipv4/ip_forward = 0\n; no\n\nkernel.sysrq  =  4   5\nnoise"
    )
    assert parse_settings(text) == {"net.ipv4.ip_forward": "0", "kernel.sysrq": "4 5"}


def test_a_name_wins_over_a_pattern_and_the_last_pattern_over_the_first() -> None:
    settings = parse_settings(
        "net.ipv4.conf.*.rp_filter=2\nnet.ipv4.conf.all.rp_filter=1\nnet.ipv4.conf.*.log_martians=0\nnet.*.*.*.log_martians=1"
    )
    names = ["net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.log_martians"]
    assert in_files(settings, [*names, "kernel.sysrq"]) == dict(zip(names, ["1", "2", "1"], strict=True))


def test_what_files_must_say() -> None:
    assert expected_in_files({"net.ipv4.conf.*.rp_filter": "1", "net.core.somaxconn": "4096"}) == {
        "net.ipv4.conf.all.rp_filter": "1",
        "net.ipv4.conf.default.rp_filter": "1",
        "net.core.somaxconn": "4096",
    }


@pytest.mark.parametrize(
    ("setting", "everywhere", "interface", "in_effect"),
    [
        ("send_redirects", "0", "1", "1"),
        ("send_redirects", "1", "0", "1"),
        ("send_redirects", "0", "0", "0"),
        ("accept_source_route", "0", "1", "0"),
        ("accept_source_route", "1", "1", "1"),
        ("rp_filter", "1", "2", "2"),
        ("rp_filter", "1", "0", "1"),
        ("arp_announce", "2", "0", "2"),
    ],
)
def test_how_the_kernel_combines_all_and_an_interface(
    setting: str, everywhere: str, interface: str, in_effect: str
) -> None:
    kernel = {
        f"net.ipv4.conf.all.{setting}": everywhere,
        f"net.ipv4.conf.default.{setting}": "7",
        f"net.ipv4.conf.eth0.{setting}": interface,
        f"net.ipv4.conf.lo.{setting}": "9",
        f"net.ipv6.conf.eth0.{setting}": "8",
    }
    assert effective(kernel, f"net.ipv4.conf.*.{setting}") == {
        f"net.ipv4.conf.default.{setting}": "7",
        f"net.ipv4.conf.eth0.{setting}": in_effect,
    }


def test_ipv6_counts_for_each_interface_alone() -> None:
    kernel = {"net.ipv6.conf.all.accept_ra": "0", "net.ipv6.conf.eth0.accept_ra": "1"}
    assert effective(kernel, "net.ipv6.conf.*.accept_ra") == {"net.ipv6.conf.eth0.accept_ra": "1"}


def test_an_interface_with_a_dot_in_its_name_is_looked_at() -> None:
    kernel = parse_settings("net.ipv6.conf.eth0/100.accept_ra = 1\nnet.ipv6.conf.all.accept_ra = 0")
    assert effective(kernel, "net.ipv6.conf.*.accept_ra") == {"net.ipv6.conf.eth0.100.accept_ra": "1"}


def test_a_setting_that_the_kernel_does_not_know() -> None:
    assert effective({"net.core.somaxconn": "4096"}, "net.core.somaxconn") == {"net.core.somaxconn": "4096"}
    assert effective({}, "net.core.somaxconn") == {}


@dataclass
class Host:
    """A node with Cilium."""

    target: FleetHost
    fleet: Fleet


@pytest.mark.parametrize(
    ("own", "pods", "found"),
    [
        ("1", "100.64.0.0/16", None),
        ("0", "100.64.0.0/16", "eth0.rp_filter is '0' in the running kernel"),
        ("2", "100.64.0.0/16", "eth0.rp_filter is '2' in the running kernel"),
        ("1", None, "all.rp_filter is '0' in sysctl.d.*lxc_health.rp_filter is '0' in the running kernel"),
    ],
)
def test_a_cluster_of_somebody_else_sets_the_interfaces_of_its_pods_and_no_others(
    own: str, pods: str | None, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = load_controls(ROOT).get("net-reverse-path-checked")
    values = {"all": "0", "default": "1", "eth0": own, "lxc_health": "0", "cilium_host": "0"}
    settings = {f"net.ipv4.conf.{name}.rp_filter": value for name, value in values.items()}
    monkeypatch.setattr(sysctl, "configured", lambda _: settings)
    monkeypatch.setattr(sysctl, "running", lambda _: settings)
    fleet = a_fleet()
    networks = FleetNetworks.model_validate({**fleet.networks.model_dump(), "pods": pods})
    node = Host(fleet.hosts[1], fleet.model_copy(update={"networks": networks}))
    check = checks_of(control).test_network_setting
    if found is None:
        check(control, Recorder(), node)
    else:
        with pytest.raises(AssertionError, match=found):
            check(control, Recorder(), node)
