"""The Vault host of the running fleet: nothing to do the second time, unsealed after a reboot, bad input refused."""

from __future__ import annotations

import json
import stat
from subprocess import CompletedProcess

import pytest
from conftest import ENVIRONMENT, on_host, playbook, reboot, recap, run

from palisade.fleet import Fleet, HostGroup
from palisade.project import fleet_state_directory
from tests.waiting import wait_until

STATE = fleet_state_directory(ENVIRONMENT) / "vault"
CLIENT = (
    "sudo env BAO_CACERT=/etc/palisade/vault/keys/ca.crt BAO_ADDR=https://{address}:8200 /opt/palisade/bin/bao {words}"
)


def vault(*arguments: str) -> CompletedProcess[str]:
    return playbook("playbooks/vault.yml", *arguments)


def bao(fleet: Fleet, words: str) -> CompletedProcess[str]:
    (host,) = fleet.in_group(HostGroup.VAULT)
    return on_host(host.name, CLIENT.format(address=host.address, words=words))


@pytest.fixture(scope="module", autouse=True)
def _vault(fleet: Fleet) -> None:
    assert fleet.in_group(HostGroup.VAULT)
    made = vault()
    assert made.returncode == 0, made.stdout[-4000:]


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["second run", "check mode"])
def test_a_second_run_changes_nothing(arguments: tuple[str, ...]) -> None:
    second = vault(*arguments)
    assert second.returncode == 0, second.stdout[-4000:]
    assert {line.changed for line in recap(second.stdout).values()} == {0}


def test_the_first_token_is_on_the_controller_and_works_and_nobody_else_reads_it(fleet: Fleet) -> None:
    for name in ("root-token", "recovery.json"):
        assert stat.S_IMODE((STATE / name).stat().st_mode) == 0o600
    recovery = json.loads((STATE / "recovery.json").read_text(encoding="utf-8"))
    assert (len(recovery["recovery_keys_b64"]), recovery["recovery_keys_threshold"]) == (5, 3)
    token = (STATE / "root-token").read_text(encoding="utf-8").strip()
    assert token not in (STATE / "recovery.json").read_text(encoding="utf-8")
    (host,) = fleet.in_group(HostGroup.VAULT)
    variables = {"BAO_ADDR": f"https://{host.address}:8200", "BAO_CACERT": str(STATE / "ca.crt"), "BAO_TOKEN": token}
    looked = run("bao", "token", "lookup", "-format=json", variables=variables)
    assert json.loads(looked.stdout)["data"]["policies"] == ["root"], looked.stderr
    # Never the token itself in a command: sudo writes down what is typed.
    found = on_host(
        host.name, "sudo grep -rlP '\\bs\\.[A-Za-z0-9]{24}\\b' /etc/palisade /root /home /var/lib/palisade /var/log"
    )
    assert (found.returncode, found.stdout) == (1, "")


def test_it_unseals_itself_after_a_reboot(fleet: Fleet) -> None:
    (host,) = fleet.in_group(HostGroup.VAULT)
    reboot(host.name)
    wait_until(lambda: bao(fleet, "status").returncode == 0, "it is not unsealed", 60)


def test_the_audit_log_goes_on_after_it_was_rotated(fleet: Fleet) -> None:
    (host,) = fleet.in_group(HostGroup.VAULT)
    rotated = on_host(host.name, "sudo logrotate --force /etc/logrotate.d/vault && sudo ls /var/log/vault")
    assert rotated.returncode == 0, rotated.stderr
    assert len(rotated.stdout.split()) >= 2
    bao(fleet, "read secret/data/palisade-rotation")
    count = "sudo grep --count palisade-rotation /var/log/vault/audit.log"
    wait_until(lambda: int(on_host(host.name, count).stdout or 0) > 0, "the new file stays empty", 10)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"vault_recovery_threshold": 6}, "vault_recovery_threshold is 6 of 5 recovery keys; allowed are 1 of 1"),
        ({"vault_recovery_threshold": 1}, "vault_recovery_threshold is 1 of 5 recovery keys; allowed are 1 of 1"),
        ({"vault_state": "/nonexistent"}, "/nonexistent/hosts/vault-1/ca.crt, "),
        ({"vault_program": "/usr/bin/true"}, "/usr/bin/true on vault-1 says"),
        ({"vault_tls_minimum_version": "tls10"}, "value of vault_tls_minimum_version must be one of: tls12, tls13"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_bad_input_is_refused_before_anything_is_touched(variables: dict[str, object], message: str) -> None:
    refused = vault("--extra-vars", json.dumps(variables))
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
    assert {line.changed for line in recap(refused.stdout).values()} == {0}
