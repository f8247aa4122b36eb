"""The template of kernel settings, rendered by Ansible: the host's own interfaces, and none that comes and goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_play import ROOT, play, role_variables

from palisade.verification.sysctl import parse_settings

pytestmark = pytest.mark.slow

OWN = ("br-lan", "eth0", "eth1", "eth1.100")
PASSING = ("cni0", "kube-bridge", "tunl0", "veth0a1b2c3d")


def rendered(directory: Path, interfaces: tuple[str, ...], **variables: str) -> str:
    """The file of a host with these interfaces; eth0 has a second address with a label, and no route is a default."""
    facts: dict[str, Any] = {name.replace("-", "_"): {"device": name} for name in interfaces}
    facts |= {"interfaces": [*interfaces, "eth0_1"], "eth0_1": {"ipv4": {}}, "default_ipv4": {}}
    written = directory / "sysctl.conf"
    template = {"src": str(ROOT / "templates/os_hardening/sysctl.conf.j2"), "dest": str(written), "mode": "0600"}
    given = {"ansible_facts": facts, "palisade_host_group": "registry", **variables}
    tasks = [{"ansible.builtin.template": template}]
    files = role_variables("os_hardening")
    play(directory, {"hosts": "localhost", "vars_files": files, "vars": given, "tasks": tasks})
    return written.read_text(encoding="utf-8")


def test_every_interface_of_the_host_is_set_and_none_that_comes_and_goes(tmp_path: Path) -> None:
    text = rendered(tmp_path, ("lo", *OWN))
    settings = parse_settings(text)
    for name in ("all", "default", *OWN):
        assert settings[f"net.ipv4.conf.{name}.send_redirects"] == "0"
        assert settings[f"net.ipv6.conf.{name}.accept_ra"] == "0"
    assert "net.ipv6.conf.eth1/100.accept_ra = 0" in text
    assert not [name for name in settings if ".lo." in name or "eth0_1" in name]
    assert rendered(tmp_path, (*PASSING, *reversed(OWN), "lo")) == text, "pods have changed the file"


def test_a_cluster_of_somebody_else_decides_about_the_interfaces_of_its_pods(tmp_path: Path) -> None:
    settings = parse_settings(rendered(tmp_path, ("eth0", "lxc_health"), palisade_pod_network="100.64.0.0/16"))
    filters = {name: value for name, value in settings.items() if name.endswith(".rp_filter")}
    assert filters == {
        f"net.ipv4.conf.{name}.rp_filter": value for name, value in (("all", "0"), ("default", "1"), ("eth0", "1"))
    }
    assert settings["net.ipv4.conf.all.log_martians"] == "1"
