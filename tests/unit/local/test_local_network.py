from __future__ import annotations

import json
import os
import socket
import sys
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from local_samples import places

from palisade.local import network, own_addresses
from palisade.local.machine import read_machine
from palisade.local.network import definition, gateway, name_servers, networks_in_use, parse_routes, parse_sockets
from palisade.local.places import Places
from palisade.local.processes import run
from palisade.local.programs import as_root, find_program, search_roots_programs


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ({"dst": "192.0.2.0/24", "dev": "eth0", "scope": "link"}, (("eth0", "192.0.2.0/24"),)),
        ({"dst": "10.0.0.0/8", "gateway": "192.0.2.9", "dev": "eth0"}, (("eth0", "10.0.0.0/8"),)),
        ({"type": "local", "dst": "192.0.2.2", "dev": "eth0"}, (("eth0", "192.0.2.2/32"),)),
        ({"type": "blackhole", "dst": "10.9.0.0/16"}, (("a route", "10.9.0.0/16"),)),
        ({"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"}, ()),
        ({"type": "broadcast", "dst": "192.0.2.255", "dev": "eth0"}, ()),
    ],
)
def test_networks_in_use_are_those_that_routes_lead_to(
    route: dict[str, object], expected: tuple[tuple[str, str], ...]
) -> None:
    found = parse_routes(json.dumps([route]))
    assert tuple((interface, str(network)) for interface, network in found) == expected


def test_no_answer_means_no_networks() -> None:
    assert parse_routes("") == ()


def test_a_machine_without_ip_and_nft_is_read_and_has_nothing_to_forget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (network, own_addresses):
        monkeypatch.setattr(module, "find_program", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (networks_in_use(), name_servers()) == ((), ())
    assert read_machine(tmp_path).networks == ()
    own_addresses.forget_addresses("palisade-0123ab")


def test_programs_of_root_are_found_without_their_folder_in_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program("no-such-program") is None
    assert find_program("useradd") == "/usr/sbin/useradd"


def test_who_became_root_by_su_starts_programs_of_root_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for _ in range(2):
        search_roots_programs()
    assert os.environ["PATH"] == f"{tmp_path}:/usr/sbin:/sbin"
    assert run(("sysctl", "--version")).startswith("sysctl")


def test_a_command_is_run_as_root_with_the_path_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/.venv/bin/palisade", "local", "down", "--environment", "a b"])
    assert as_root() == "sudo env \"PATH=$PATH\" palisade local down --environment 'a b'"


def test_name_servers_are_what_listens_at_port_53() -> None:
    table = """\
udp UNCONN 0      0    127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=7,fd=3))
udp UNCONN 0      0            [::]:53    [::]:* users:(("unbound",pid=9,fd=5),("unbound",pid=10,fd=5))
tcp LISTEN 0      128             *:53       *:*
tcp LISTEN 0      128     127.0.0.53%lo:53 0.0.0.0:* users:(("systemd-resolve",pid=7,fd=4))
"""
    assert parse_sockets(table) == (("*", ""), ("127.0.0.53", "systemd-resolve"), ("[::]", "unbound"))
    assert parse_sockets("") == ()


@pytest.mark.parametrize(
    ("family", "address", "shown"),
    [
        (socket.AF_INET, "", "0.0.0.0"),  # noqa: S104 - in a network of its own
        (socket.AF_INET6, "", "*"),
        (socket.AF_INET, "127.0.0.9", "127.0.0.9"),
    ],
)
def test_a_socket_of_this_machine_is_seen(family: socket.AddressFamily, address: str, shown: str) -> None:
    listen = f"import socket; s = socket.socket({int(family)}, socket.SOCK_DGRAM); s.bind(({address!r}, 53)); "
    ask = "from palisade.local.network import name_servers; print([address for address, _ in name_servers()])"
    isolated = ("unshare", "--map-root-user", "--net", sys.executable, "-c")
    assert run((*isolated, f"{listen}{ask}")) == f"[{shown!r}]\n"


def test_the_machine_is_the_first_address_of_the_network() -> None:
    network = IPv4Network("10.79.4.0/22")
    assert gateway(network) == IPv4Address("10.79.4.1")
    subnets = [{"subnet": "10.79.4.0/22", "gateway": "10.79.4.1"}]
    assert definition(network, name="palisade-0123ab")["subnets"] == subnets


def test_the_bridge_has_a_name_that_linux_allows_and_that_is_the_fleets_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert places(tmp_path).network == "palisade-0123ab"
    names = set()
    for home in ("a", "b"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / home))
        names |= {Places.of(environment).network for environment in ("local", "a-name-that-is-rather-long")}
    assert len(names) == 4
    assert {len(name) for name in names} == {15}
