"""Which file systems the check of permissions and the role walk through, and a walk that proves nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from ansible_play import play, role_variables
from verification_sample import a_control

from palisade.verification.check import Recorder
from palisade.verification.readings import ReadingFailedError
from tests.check_modules import checks_in

USUAL = "privileged /usr/bin/sudo\n"
# Target, source, kind, options.
MOUNTS = (
    ("/", "/dev/vda1", "ext4", "rw,relatime"),
    ("/proc", "proc", "proc", "rw"),
    ("/dev/mqueue", "mqueue", "mqueue", "rw"),
    ("/var", "/dev/vda2", "ext4", "rw,nosuid"),
    ("/home", "/dev/mapper/vg-home", "xfs", "nosuid,rw"),
    ("/srv/with blank", "/dev/vdc[/part]", "btrfs", "rw"),
    ("/opt/data", "pool/data", "zfs", "rw"),
    ("/media", "/dev/sr0", "iso9660", "ro,relatime"),
    ("/backup", "store:/backup", "nfs4", "rw"),
    ("/run/netns", "/dev/vda1[/run/netns]", "ext4", "rw"),
    ("/var/lib/containerd", "/dev/vdb", "ext4", "rw"),
    ("/var/lib/kubelet/pods/1/volumes/a", "/dev/vdd", "ext4", "rw"),
    ("/run/containerd/rootfs", "overlay", "overlay", "rw"),
)
WALKED = ["/", "/home", "/opt/data", "/srv/with blank", "/var"]
FINDMNT = json.dumps(
    {"filesystems": [dict(zip(("target", "source", "fstype", "options"), one, strict=True)) for one in MOUNTS]}
)


@dataclass
class Host:
    """A host whose walk ends like this."""

    status: int = 0
    walk: str = USUAL
    command: str = ""

    def output(self, command: str) -> str:
        assert command.startswith("findmnt ")
        return FINDMNT

    def status_and_output(self, command: str) -> tuple[int, str]:
        self.command = command
        return self.status, self.walk


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    return checks_in("test_permissions")


def look(checks: ModuleType, host: Host) -> None:
    expected = {"finding": "files_writable_by_all"}
    checks.test_none_found(a_control("files-none-writable-by-all", expected=expected), Recorder(), host)


def test_every_file_system_on_a_disk_is_walked_through(checks: ModuleType) -> None:
    host = Host(status=1)
    look(checks, host)
    assert host.command.startswith("find / /home /opt/data '/srv/with blank' /var -xdev ")


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (Host(status=0, walk=""), "has not seen /usr/bin/sudo"),
        (Host(status=1, walk="writable /etc/x\n"), "has not seen /usr/bin/sudo"),
        (Host(status=127, walk=USUAL), "ended with exit code 127"),
    ],
    ids=["empty", "without sudo", "no find"],
)
def test_a_walk_that_saw_nothing_proves_nothing(checks: ModuleType, host: Host, message: str) -> None:
    with pytest.raises(ReadingFailedError, match=message):
        look(checks, host)


def test_what_is_found_fails_the_check(checks: ModuleType) -> None:
    with pytest.raises(AssertionError, match="/home/a b can be written by everybody"):
        look(checks, Host(walk=f"{USUAL}writable /home/a b\n"))


def test_the_role_walks_through_the_same(tmp_path: Path) -> None:
    written = tmp_path / "walked.json"
    copied = {"content": "{{ os_hardening_permissions_walked | to_json }}", "dest": str(written), "mode": "0600"}
    given = {"os_hardening_permissions_mounts": {"stdout": FINDMNT}}
    tasks = [{"ansible.builtin.copy": copied}]
    files = role_variables("os_hardening")
    play(tmp_path, {"hosts": "localhost", "vars_files": files, "vars": given, "tasks": tasks})
    assert json.loads(written.read_text(encoding="utf-8")) == WALKED
