"""The tasks for host keys, each host in a mount namespace whose /etc/ssh is a folder of the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ansible_play import ROOT, play

pytestmark = pytest.mark.slow

ED25519 = "ssh_host_ed25519_key"


@pytest.fixture(autouse=True)
def unit_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit that makes further keys is masked already: a stand-in for systemctl says so."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho masked\n", encoding="utf-8")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def host(directory: Path, name: str, *kinds: str) -> Path:
    """The /etc/ssh of a host with keys of these kinds."""
    folder, python = directory / name, directory / f"{name}.python"
    folder.mkdir()
    for kind in kinds:
        key = str(folder / f"ssh_host_{kind}_key")
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", key], check=True)
    enter = f'mount --bind {folder} /etc/ssh && exec {sys.executable} "$@"'
    python.write_text(f"#!/bin/sh\nexec unshare --map-root-user --mount sh -c '{enter}' sh \"$@\"\n", encoding="utf-8")
    python.chmod(0o700)
    return folder


def harden(directory: Path, hosts: str, *options: str) -> None:
    reloaded = {"path": f"{directory}/{{{{ inventory_hostname }}}}.reloaded", "state": "touch", "mode": "0600"}
    document = {
        "hosts": "all",
        "vars": {"ansible_python_interpreter": f"{directory}/{{{{ inventory_hostname }}}}.python"},
        "tasks": [{"ansible.builtin.include_tasks": str(ROOT / "roles/ssh_hardening/tasks/ssh_host_keys.yml")}],
        "handlers": [{"name": "Reload sshd", "ansible.builtin.file": reloaded}],
    }
    play(directory, document, *options, inventory=hosts)


def test_a_host_without_an_ed25519_key_gets_one_before_the_others_go(tmp_path: Path) -> None:
    old, sound = host(tmp_path, "old", "ecdsa"), host(tmp_path, "sound", "ed25519")
    kept = (sound / ED25519).read_bytes()
    harden(tmp_path, "old,sound")
    assert sorted(path.name for path in old.iterdir()) == [ED25519, f"{ED25519}.pub"]
    assert (old / ED25519).stat().st_mode & 0o777 == 0o600
    assert (sound / ED25519).read_bytes() == kept
    assert [path.stem for path in tmp_path.glob("*.reloaded")] == ["old"], "the daemon reads a new key"


def test_a_dry_run_on_a_host_without_an_ed25519_key_makes_none(tmp_path: Path) -> None:
    bare = host(tmp_path, "bare", "ecdsa")
    harden(tmp_path, "bare,", "--check")
    assert sorted(path.name for path in bare.iterdir()) == ["ssh_host_ecdsa_key", "ssh_host_ecdsa_key.pub"]
