"""``harden.yml`` on the running fleet: nothing to do the second time, one concern alone, bad input refused."""

from __future__ import annotations

import json

import pytest
from conftest import harden, on_host, recap

from palisade.fleet import Fleet

pytestmark = pytest.mark.usefixtures("fleet")


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    second = harden()
    assert second.returncode == 0, second.stdout[-4000:]
    assert {name: line.changed for name, line in recap(second.stdout).items()} == {host.name: 0 for host in fleet.hosts}


def test_check_mode_predicts_nothing_on_a_hardened_host() -> None:
    checked = harden("--check", "--limit", "registry-1,db-1")
    assert checked.returncode == 0, checked.stdout[-4000:]
    assert {line.changed for line in recap(checked.stdout).values()} == {0}


def test_one_concern_alone_mends_it_and_leaves_the_others() -> None:
    broken = on_host(
        "db-1", "sudo sysctl -w net.ipv4.tcp_syncookies=0 && sudo chmod 0666 /etc/motd && sudo rm /etc/issue"
    )
    assert broken.returncode == 0, broken.stderr
    alone = harden("--tags", "sysctl", "--limit", "db-1")
    assert alone.returncode == 0, alone.stdout[-4000:]
    assert on_host("db-1", "/usr/sbin/sysctl -n net.ipv4.tcp_syncookies").stdout.strip() == "1"
    assert on_host("db-1", "test -e /etc/issue").returncode == 1, "--tags sysctl must not write the banner"
    whole = harden("--limit", "db-1")
    assert whole.returncode == 0, whole.stdout[-4000:]
    assert on_host("db-1", "cat /etc/issue").stdout.startswith("Authorised use only")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"firewall_group": "web"}, 'is "web"; allowed are bastion, control, database, registry, vault'),
        (
            {"palisade_sinks": [{"name": "s3", "networks": ["0.0.0.0/0"], "port": 443}]},
            "A sink of audit records has the network 0.0.0.0/0",
        ),
        ({"os_hardening_group": "web"}, 'is "web"; allowed are bastion, control, database, registry, vault'),
        ({"palisade_operator_networks": []}, "has no address"),
        (
            {"firewall_group": "bastion", "palisade_operator_networks": ["::/0"]},
            "operators log in: ports 22, 5432, 6380, 8200 are never open to everybody",
        ),
        (
            {"firewall_group": "bastion", "palisade_operator_networks": ["0.0.0.0/0"]},
            "operators log in: ports 22, 5432, 6380, 8200 are never open to everybody",
        ),
        ({"os_hardening_packages_absent": ["sudo"]}, "names sudo, which the hardened host needs"),
        ({"time_sync_sources": [{"name": "a.example", "kind": "server"}]}, "gives 1 servers; allowed are 4 or more"),
        (
            {"time_sync_sources": [{"name": "a.example", "kind": "peer"}]},
            "value of kind must be one of: pool, server, got: peer",
        ),
        ({"ssh_hardening_login_users": ["root"]}, "must hold the user that Ansible logs in as (palisade) and not root"),
        ({"ssh_hardening_ciphers": ["aes256-cbc"]}, "aes256-cbc: not allowed are SHA-1, MD5, CBC"),
        ({"ssh_hardening_minimum_rsa_bits": 2048}, "RSA keys of 2048 bits: allowed are 3072 or more"),
        ({"lockout_guard_seconds": 5}, "allowed are 30 to 3600 seconds"),
        ({"os_hardening_login_umask": "22"}, "three octal digits that keep others out"),
        ({"os_hardening_login_max_logins": 0}, "is 0; allowed are 10 or more"),
        ({"os_hardening_permissions_set_id_allowed": ["/usr/bin/su"]}, "lacks /usr/bin/sudo, /usr/sbin/unix_chkpwd"),
        ({"account_hardening_pam_password_length": 6}, "allowed are 12 or more characters"),
        ({"account_hardening_pam_lock_after": 0}, "allowed are 1 to 10"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_before_a_host_is_touched(variables: dict[str, object], message: str) -> None:
    refused = harden("--limit", "registry-1", "--extra-vars", json.dumps(variables))
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
    assert recap(refused.stdout)["registry-1"].changed == 0
    assert "Arm the guard" not in refused.stdout, "refused before anything of the host is looked at twice"
