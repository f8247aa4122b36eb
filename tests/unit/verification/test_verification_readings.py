"""How files, daemons and connections are read."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from verification_sample import a_control, a_fleet

from palisade.fleet import HostGroup
from palisade.verification.check import Recorder, compare, differences
from palisade.verification.connections import Connections, client_configuration
from palisade.verification.files import words_in
from palisade.verification.probes import agent, connect, ssh_offer
from palisade.verification.readings import Readings
from palisade.verification.sshd import parse_settings


def test_words_of_a_file() -> None:
    text = "# UMASK 077\nUMASK\t027 # note\nminlen = 14\nenforce_for_root\nmakestep 1 3\nUMASK 027\n"
    assert words_in(text) == {"UMASK": "027", "minlen": "14", "enforce_for_root": "", "makestep": "1 3"}


def test_a_name_with_two_values_equals_neither() -> None:
    assert words_in("UMASK 027\nUMASK 022\n") == {"UMASK": "027 and 022"}


def test_settings_of_the_ssh_daemon() -> None:
    text = "port 22\nciphers a,b\nhostkey /a\nhostkey /b\npermitopen 10.0.0.1:22 10.0.0.2:22\nmaxstartups 10:30:60\n"
    assert parse_settings(text) == {
        "port": ["22"],
        "ciphers": ["a", "b"],
        "hostkey": ["/a", "/b"],
        "permitopen": ["10.0.0.1:22", "10.0.0.2:22"],
        "maxstartups": "10:30:60",
    }


def test_missing_and_different_settings_are_named() -> None:
    assert differences({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}, source="the file") == [
        "b is '9' in the file, expected '2'",
        "c is not set in the file, expected '3'",
    ]


def test_what_is_compared_is_recorded() -> None:
    control, observation = a_control("tiny-control", expected={"settings": {"a": "1"}}), Recorder()
    assert compare(control, observation, file={"a": "1", "b": "2"}, runtime={"a": "2"}) == [
        "a is '2' in the running system, expected '1'"
    ]
    assert (observation.file, observation.runtime) == ({"a": "1"}, {"a": "2"})


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"runtime": {"a": "1"}, "file": {"a": "1"}}, "expected.runtime is not compared"),
        ({"other": {"a": "1"}}, "expects nothing that this check compares"),
    ],
)
def test_an_expectation_that_nobody_compares_is_refused(expected: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(a_control("tiny-control", expected=expected), Recorder(), file={"a": "1"})


def kexinit(lists: list[str]) -> bytes:
    fields = b"".join(struct.pack(">I", len(text)) + text.encode() for text in lists)
    return bytes([20]) + bytes(16) + fields


def test_the_offer_of_an_ssh_daemon() -> None:
    lists = ["curve25519-sha256,ext-info-s,kex-strict-s-v00@openssh.com", "ssh-ed25519", "a,b", "a", "c", "c", "none"]
    assert ssh_offer.name_lists(kexinit(lists)) == {
        "kexalgorithms": ["curve25519-sha256"],
        "hostkeyalgorithms": ["ssh-ed25519"],
        "ciphers": ["a", "b"],
        "ciphers_to_client": ["a"],
        "macs": ["c"],
        "macs_to_client": ["c"],
        "compression": ["none"],
    }


def test_another_message_is_no_offer() -> None:
    with pytest.raises(ValueError, match="SSH message 1 where"):
        ssh_offer.name_lists(bytes([1]) + bytes(40))


def test_ports_that_are_open_and_ports_that_are_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port, closed = server.getsockname()[1], unused.getsockname()[1]
        assert connect.answers("127.0.0.1", 1.0, [port, closed]) == {port: "open", closed: "refused"}


def test_a_port_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    assert connect.answers("192.0.2.1", 0.01, [22]) == {22: "silence"}


def test_the_agent_answers_each_command() -> None:
    commands = ["echo out; echo err >&2; exit 3", "printf '\\377'"]
    answered = subprocess.run(
        [sys.executable, agent.__file__],
        input="".join(json.dumps(command) + "\n" for command in commands),
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = (json.loads(line) for line in answered.stdout.splitlines())
    assert (first[0], base64.b64decode(first[1]), base64.b64decode(first[2])) == (3, b"out\n", b"err\n")
    assert base64.b64decode(second[1]) == b"\xff"


def seen_by_ssh(configuration: Path, host: str) -> dict[str, str]:
    printed = subprocess.run(
        ["ssh", "-F", str(configuration), "-G", host], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split(" ", 1) for line in printed.splitlines() if " " in line)


def test_hosts_are_reached_through_the_bastion_over_shared_connections(tmp_path: Path) -> None:
    fleet = a_fleet(bastion_1=HostGroup.BASTION, db_1=HostGroup.DATABASE)
    configuration = tmp_path / "ssh_config"
    configuration.write_text(client_configuration(fleet, tmp_path), encoding="utf-8")
    database = seen_by_ssh(configuration, "db-1")
    assert (database["hostname"], database["user"], database["proxyjump"]) == ("10.77.0.11", "palisade", "bastion-1")
    assert (database["controlmaster"], database["stricthostkeychecking"], database["batchmode"]) == (
        "auto",
        "true",
        "yes",
    )
    assert database["controlpath"].startswith(str(tmp_path))
    assert "proxyjump" not in seen_by_ssh(configuration, "bastion-1")


def test_a_local_fleet_is_reached_as_its_own_configuration_says(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text(
        "Host db-1\n  HostName 10.1.2.3\n  ProxyJump gate\nHost gate\n  HostName 10.1.2.1\n", encoding="utf-8"
    )
    configuration = tmp_path / "ssh_config"
    fleet = a_fleet(db_1=HostGroup.DATABASE).model_copy(update={"ssh_config": own})
    configuration.write_text(client_configuration(fleet, tmp_path), encoding="utf-8")
    database = seen_by_ssh(configuration, "db-1")
    assert (database["hostname"], database["proxyjump"], database["controlmaster"]) == ("10.1.2.3", "gate", "auto")


def test_connections_leave_nothing_behind() -> None:
    with Connections(a_fleet()) as connections:
        directory = connections.directory
        assert directory.is_dir()
    assert not directory.exists()


def test_what_changes_while_it_is_waited_for_is_read_again() -> None:
    answers = iter(["old", "new"])
    host = SimpleNamespace(run=lambda _: SimpleNamespace(rc=0, stdout=next(answers), stderr=""))
    connections = cast(Connections, SimpleNamespace(host=lambda _: host))
    readings = Readings(a_fleet().hosts[0], connections)
    assert [readings.output("cat state") for _ in range(3)] == ["old"] * 3
    assert readings.afresh().output("cat state") == "new"
    assert readings.output("cat state") == "old"
