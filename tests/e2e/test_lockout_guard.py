"""The lockout guard: access is broken on purpose, and the host lets the operator in again by itself."""

from __future__ import annotations

import json
import shlex

import pytest
from conftest import LOGIN_PAUSE, harden, on_host, reboot, recap

from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fleet")

ROLLBACK_SECONDS = 40
GUARD = "sudo /usr/local/sbin/palisade-lockout-guard"
ACCESS = "sudo sha256sum /etc/ssh/sshd_config /etc/palisade/firewall.nft /etc/pam.d/* /etc/sudoers.d/palisade-defaults"


def is_let_in(host: str) -> bool:
    """Whether a fresh login works."""
    return on_host(host, "sudo -n true").returncode == 0


def nothing_is_pending(host: str) -> bool:
    """Whether the guard has taken back what was not confirmed."""
    return "nothing pending" in on_host(host, f"{GUARD} status").stdout


@pytest.mark.parametrize(
    ("host", "tags", "mistake"),
    [
        pytest.param(
            *("registry-1", "all", {"ssh_hardening_port": 2222}),
            id="sshd-on-a-port-that-the-firewall-closes",
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("bastion-1", "firewall", {"palisade_operator_networks": ["203.0.113.0/24"]}),
            id="firewall-without-the-operator",
        ),
        pytest.param(
            *("db-1", "sshd", {"ssh_hardening_max_auth_tries": 0}),
            id="sshd-that-refuses-every-attempt",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_broken_access_comes_back_by_itself(host: str, tags: str, mistake: dict[str, object]) -> None:
    before = on_host(host, ACCESS).stdout
    table = on_host(host, "sudo nft --stateless --terse list table inet palisade").stdout
    assert before
    assert table
    variables = {**mistake, "lockout_guard_seconds": ROLLBACK_SECONDS, "lockout_guard_login_timeout": 3}
    broken = harden("--limit", host, "--tags", tags, "--extra-vars", json.dumps(variables))
    assert broken.returncode != 0
    assert f"No fresh login to {host}" in " ".join(broken.stdout.split())
    assert recap(broken.stdout)[host].changed > 0, "the mistake was made"
    assert on_host(host, "true").returncode != 0, "the mistake locks the operator out"

    wait_until(lambda: is_let_in(host), f"{host} lets nobody in", ROLLBACK_SECONDS + 20, pause=LOGIN_PAUSE)
    assert on_host(host, ACCESS).stdout == before
    assert on_host(host, "sudo nft --stateless --terse list table inet palisade").stdout == table
    assert "nothing pending" in on_host(host, f"{GUARD} status").stdout
    again = harden("--limit", host, "--tags", tags)
    assert again.returncode == 0, again.stdout[-4000:]


def slow(host: str, meanwhile: str) -> None:
    """Let something happen once while the role asks who may log in: the guard is armed, sshd's file not yet written."""
    wrapper = f'#!/bin/sh\nrm /usr/local/sbin/getent\n{meanwhile}\nexec /usr/bin/getent "$@"\n'
    script = f"printf %s {shlex.quote(wrapper)} >/usr/local/sbin/getent && chmod 0755 /usr/local/sbin/getent"
    made = on_host(host, f"sudo sh -c {shlex.quote(script)}")
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize(
    ("meanwhile", "changed", "message"),
    [
        # The host's clock ran ahead: the file is written after the rollback, and must neither be loaded nor stay.
        pytest.param(
            "palisade-lockout-guard rollback", 1, "too late: the settings were rolled back at", id="in-the-host"
        ),
        # Nothing is written any more.
        pytest.param(f"sleep {ROLLBACK_SECONDS + 5}", 0, "Timed out after", id="in-one-task", marks=pytest.mark.long),
    ],
)
def test_a_guard_that_ran_out_before_the_new_settings_were_written_loads_nothing(
    meanwhile: str, changed: int, message: str
) -> None:
    host = "db-1"
    before = on_host(host, ACCESS).stdout
    variables = {"ssh_hardening_max_auth_tries": 0, "lockout_guard_seconds": ROLLBACK_SECONDS}
    timer = harden(
        "--limit", host, "--tags", "lockout_guard", "--extra-vars", f"lockout_guard_seconds={ROLLBACK_SECONDS}"
    )
    assert timer.returncode == 0, timer.stdout[-4000:]
    slow(host, meanwhile)
    late = harden("--limit", host, "--tags", "sshd", "--extra-vars", json.dumps(variables))
    assert late.returncode != 0
    assert message in " ".join(late.stdout.split()), late.stdout[-4000:]
    assert recap(late.stdout)[host].changed == changed
    assert "RUNNING HANDLER [ssh_hardening : Reload sshd]" not in late.stdout
    assert is_let_in(host), "the new settings were loaded"
    wait_until(lambda: nothing_is_pending(host), "its guard still waits", ROLLBACK_SECONDS + 20, pause=LOGIN_PAUSE)
    assert on_host(host, ACCESS).stdout == before
    again = harden("--limit", host, "--tags", "sshd")
    assert again.returncode == 0, again.stdout[-4000:]


@pytest.mark.long
def test_a_failure_half_way_loads_nothing_and_is_taken_back() -> None:
    host = "db-1"
    before = on_host(host, ACCESS).stdout
    # The firewall's check refuses its file when sshd's is written already.
    variables = {
        "ssh_hardening_max_auth_tries": 3,
        "lockout_guard_seconds": ROLLBACK_SECONDS,
        "firewall_log_per_minute": -1,
    }
    failed = harden("--limit", host, "--tags", "sshd,firewall", "--extra-vars", json.dumps(variables))
    assert failed.returncode != 0
    assert on_host(host, ACCESS).stdout != before, "sshd's file was written"
    assert "RUNNING HANDLER [ssh_hardening : Reload sshd]" not in failed.stdout
    assert "armed" in on_host(host, f"{GUARD} status").stdout
    wait_until(lambda: nothing_is_pending(host), "its guard still waits", ROLLBACK_SECONDS + 20, pause=LOGIN_PAUSE)
    assert on_host(host, ACCESS).stdout == before
    assert harden("--limit", host, "--tags", "sshd,firewall").returncode == 0


def test_a_file_that_the_daemon_never_read_is_loaded_by_the_next_run() -> None:
    host = "db-1"
    # As a run leaves it that was cut off between writing the file and its handler.
    setting = "/^MaxAuthTries/s/[0-9]*$"
    file = "/etc/ssh/sshd_config"
    script = f"sed -i '{setting}/3/' {file} && systemctl restart ssh && sed -i '{setting}/4/' {file}"
    assert on_host(host, f"sudo sh -c {shlex.quote(script)}").returncode == 0
    mended = harden("--limit", host, "--tags", "sshd")
    assert mended.returncode == 0, mended.stdout[-4000:]
    assert "RUNNING HANDLER [ssh_hardening : Reload sshd]" in mended.stdout
    again = harden("--limit", host, "--tags", "sshd")
    assert recap(again.stdout)[host].changed == 0


def test_the_packet_filter_of_before_starts_at_boot_again() -> None:
    host = "registry-2"
    unit = "nftables.service"
    enable, disable = (f"sudo systemctl {verb} {unit}" for verb in ("enable", "disable"))
    taken_back = on_host(host, f"{enable} && {GUARD} arm && {disable} && {GUARD} rollback")
    assert taken_back.returncode == 0, taken_back.stderr
    assert on_host(host, f"systemctl is-enabled {unit}").stdout.strip() == "enabled"
    assert harden("--limit", host, "--tags", "firewall").returncode == 0
    assert on_host(host, f"systemctl is-enabled {unit}").stdout.strip() == "disabled"


def test_a_reboot_does_not_lose_the_way_back() -> None:
    host = "registry-2"
    before = on_host(host, ACCESS).stdout
    assert (
        harden(
            "--limit", host, "--tags", "lockout_guard", "--extra-vars", f"lockout_guard_seconds={ROLLBACK_SECONDS}"
        ).returncode
        == 0
    )
    # Armed, sshd refuses everybody from its next start, and the host reboots before anybody could confirm.
    mistake = "echo 'DenyUsers *' | sudo tee -a /etc/ssh/sshd_config >/dev/null"
    reboot(host, f"{GUARD} arm && {mistake}", seconds=ROLLBACK_SECONDS + 60)
    assert on_host(host, ACCESS).stdout == before
    assert "rolled back" in on_host(host, "sudo journalctl --unit palisade-lockout-rollback.service --no-pager").stdout
    assert harden("--limit", host, "--tags", "sshd").returncode == 0


def test_a_rollback_that_is_killed_goes_on() -> None:
    host = "registry-2"
    before = on_host(host, ACCESS).stdout
    script = """
        set -e
        guard=/usr/local/sbin/palisade-lockout-guard
        $guard arm
        systemctl stop palisade-lockout-rollback.timer
        # Killed between the two renames of one exchange: the settings are aside, and nothing is in their place.
        mv /etc/sudoers.d /etc/sudoers.d.palisade-refused
        for seconds in 0.005 0.01 0.02 0.03 0.05 0.08; do
          timeout --signal=KILL $seconds $guard rollback || true
          test -e /var/lib/palisade/lockout-guard/armed || break
        done
        $guard rollback
    """
    rolled_back = on_host(host, f"sudo sh -c {shlex.quote(script)}")
    assert rolled_back.returncode == 0, rolled_back.stderr
    assert on_host(host, ACCESS).stdout == before
    assert on_host(host, "sudo find /etc -name '*.palisade-re*'").stdout == "", "nothing half-made is left"


def test_a_late_confirmation_is_refused() -> None:
    host = "registry-2"
    assert on_host(host, f"{GUARD} arm && {GUARD} rollback").returncode == 0
    late = on_host(host, f"{GUARD} confirm")
    assert late.returncode == 1
    assert "too late: the settings were rolled back at" in late.stderr
    assert on_host(host, f"{GUARD} arm && {GUARD} confirm").returncode == 0


def test_a_guard_that_is_armed_again_and_again_is_armed() -> None:
    """Not refused by systemd, as a unit is that is started five times in ten seconds and does not say otherwise."""
    again = on_host("registry-2", f"for time in 1 2 3 4 5 6 7; do {GUARD} arm || exit 1; done; {GUARD} confirm")
    assert again.returncode == 0, again.stderr


def test_a_rollback_without_a_copy_touches_nothing() -> None:
    host = "registry-2"
    before = on_host(host, ACCESS).stdout
    state = "/var/lib/palisade/lockout-guard"
    refused = on_host(host, f"sudo install -d {state} && sudo touch {state}/armed && {GUARD} rollback")
    assert refused.returncode == 1
    assert "there is no copy to go back to: nothing was changed" in refused.stderr
    assert on_host(host, ACCESS).stdout == before
    armed_again = on_host(host, f"sudo touch {state}/armed && {GUARD} arm && sudo test -d {state}/snapshot/etc/ssh")
    assert armed_again.returncode == 0, "an armed guard without a copy makes one"
    assert on_host(host, f"{GUARD} confirm").returncode == 0
