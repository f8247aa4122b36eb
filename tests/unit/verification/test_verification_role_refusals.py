"""What a role finds out about a host before it touches it; stand-ins answer for the programs that it asks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_play import play

pytestmark = pytest.mark.slow

VARIABLES = {
    "ansible_user": "operator",
    "ansible_facts": {"distribution": "Debian", "distribution_version": "13.1", "distribution_major_version": "13"},
    "palisade_host_group": "database",
    "lockout_guard_login_pause": 0,
}
StandIn = Callable[[str, str], Path]
"""The fixture ``stand_in``."""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Puts a program ahead of the real one; the file that comes back gets a line for each call."""

    def make(name: str, script: str) -> Path:
        calls, program = tmp_path / f"{name}.calls", tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "$*" >>{calls}\n{script}\n', encoding="utf-8")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        return calls

    return make


def refused(
    directory: Path, role: str, hosts: str, *options: str, given: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, str]:
    """What a role's preflight, asked twice, says to the hosts that it refuses.

    Args:
        directory: For files in between.
        role: Whose preflight.
        hosts: Their names, with commas.
        options: Further ones of ``ansible-playbook``.
        given: Variables of single hosts.
    """
    for host, variables in (given or {}).items():
        file = directory / "host_vars" / host
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(variables), encoding="utf-8")
    message = {"content": "{{ ansible_failed_result.msg }}", "dest": f"{directory}/{{{{ inventory_hostname }}}}.said"}
    said = {"ansible.builtin.copy": {**message, "mode": "0600"}, "delegate_to": "localhost", "check_mode": False}
    asked = {"ansible.builtin.include_role": {"name": role, "tasks_from": "preflight"}}
    document = {
        "hosts": "all",
        "vars": VARIABLES,
        "tasks": [{"block": [asked, asked], "rescue": [said]}],
    }
    play(directory, document, *options, inventory=hosts)
    return {path.stem: " ".join(path.read_text(encoding="utf-8").split()) for path in directory.glob("*.said")}


def test_the_login_that_confirms_a_change_is_tried_first_and_once(tmp_path: Path, stand_in: StandIn) -> None:
    asks = "case $* in *@asks*) echo 'sudo: a password is required' >&2; exit 1;; esac"
    logins = stand_in("ssh", asks)
    found = refused(tmp_path, "lockout_guard", "open,asks", "--connection", "ssh")
    assert list(found) == ["asks"]
    assert "No fresh login to asks with sudo: sudo: a password is required." in found["asks"]
    assert "operator needs a key, sudo that asks for no password" in found["asks"]
    assert found["asks"].endswith("Nothing was changed.")
    lines = logins.read_text(encoding="utf-8").splitlines()
    (login,) = (line for line in lines if "@open" in line)
    assert "-o HostKeyAlgorithms=ssh-ed25519 -p 22 operator@open sudo --non-interactive /usr/bin/true" in login
    assert "-o ControlPath=none -o BatchMode=yes" in login
    assert len(lines) == 4, "three tries where it fails"


def test_a_dry_run_logs_in_nowhere(tmp_path: Path, stand_in: StandIn) -> None:
    logins = stand_in("ssh", "exit 1")
    assert refused(tmp_path, "lockout_guard", "asks,", "--connection", "ssh", "--check") == {}
    assert not logins.exists()


def test_a_tmp_that_is_never_mounted_is_refused(tmp_path: Path, stand_in: StandIn) -> None:
    asked = stand_in("systemctl", "echo masked")
    given = {"masked-left-alone": {"os_hardening_mounts_restricted": ["/srv"]}}
    found = refused(tmp_path, "os_hardening", "masked,masked-left-alone", given=given)
    assert list(found) == ["masked"]
    assert "tmp.mount of masked is masked, so /tmp is no mount" in found["masked"]
    assert "Unmask it (systemctl unmask tmp.mount)" in found["masked"]
    assert len(asked.read_text(encoding="utf-8").splitlines()) == 2, "once each"


def test_a_person_without_an_account_is_refused(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in("getent", """printf '%s:x:1000:1000::/:/bin/sh\\n' operator alice; case $* in *bob*) exit 2;; esac""")
    given = {"with-bob": {"palisade_logins": ["alice", "bob"]}, "with-alice": {"palisade_logins": ["alice"]}}
    found = refused(tmp_path, "ssh_hardening", "with-bob,with-alice", given=given)
    assert list(found) == ["with-bob"]
    assert found["with-bob"].startswith("bob may log in to with-bob and has no account there.")
