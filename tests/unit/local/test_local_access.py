from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from local_samples import FLEET, places

from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup
from palisade.local.access import known_hosts_text, ssh_arguments, ssh_config_text, write_access
from palisade.local.keys import make_keys, public_file, public_key


def as_openssh_reads_it(config: Path, host: str) -> dict[str, str]:
    """The settings that OpenSSH itself would use for a host."""
    answer = subprocess.run(["ssh", "-G", "-F", str(config), host], capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in answer.stdout.splitlines() if " " in line)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    where = places(tmp_path)
    where.ssh_config.write_text(ssh_config_text(FLEET, where), encoding="utf-8")
    return where.ssh_config


def test_openssh_reaches_the_bastion_directly_and_the_others_through_it(config: Path) -> None:
    bastion, registry, database = (as_openssh_reads_it(config, host.name) for host in FLEET.hosts)
    assert (bastion["hostname"], bastion["port"], bastion["user"]) == ("10.79.0.10", "2222", "palisade")
    assert "proxyjump" not in bastion
    assert (registry["hostname"], registry["port"], registry["proxyjump"]) == ("10.79.0.21", "22", "bastion-1")
    assert (database["user"], database["proxyjump"]) == ("operator", "bastion-1")


def test_openssh_trusts_only_the_keys_of_this_fleet_and_shares_no_connection(config: Path) -> None:
    settings = as_openssh_reads_it(config, "registry-1")
    assert settings["identityfile"] == str(config.with_name("id_ed25519"))
    assert settings["userknownhostsfile"] == str(config.with_name("known_hosts"))
    assert settings["stricthostkeychecking"] == "true"
    assert settings["hostkeyalias"] == "registry-1"
    assert settings["identitiesonly"] == "yes"
    assert settings["identityagent"] == "none"
    assert settings["globalknownhostsfile"] == "none"
    assert settings["controlmaster"] == "false"
    assert settings["serveraliveinterval"] == "5"


def test_a_fleet_without_a_bastion_cannot_be_reached(tmp_path: Path) -> None:
    others = tuple(host for host in FLEET.hosts if host.group is not HostGroup.BASTION)
    with pytest.raises(ConfigurationError, match=r"The fleet has no bastion\."):
        ssh_config_text(FLEET.model_copy(update={"hosts": others}), places(tmp_path))


def test_known_hosts_are_in_the_same_order_every_time() -> None:
    text = "bastion-1 ssh-ed25519 B\nregistry-1 ssh-ed25519 R\n"
    assert known_hosts_text({"registry-1": "ssh-ed25519 R", "bastion-1": "ssh-ed25519 B"}) == text


def test_what_is_written_names_the_hosts_own_keys_and_is_private(tmp_path: Path) -> None:
    where = places(tmp_path)
    make_keys(where, [host.name for host in FLEET.hosts])
    write_access(FLEET, where)
    lines = where.known_hosts.read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines] == ["bastion-1", "db-1", "registry-1"]
    assert lines[1] == f"db-1 {public_key(where.host_key('db-1', 'ed25519'))}"
    assert where.ssh_config.stat().st_mode & 0o777 == 0o600


def test_keys_are_made_once_and_a_half_made_pair_is_made_again(tmp_path: Path) -> None:
    where = places(tmp_path)
    make_keys(where, ["registry-1"])
    made = {path: path.read_bytes() for path in where.state.rglob("ssh_host_*_key*")}
    assert len(made) == 6
    assert {path.stat().st_mode & 0o777 for path in (*made, where.identity) if path.suffix != ".pub"} == {0o600}
    make_keys(where, ["registry-1"])
    assert {path: path.read_bytes() for path in made} == made
    lost = where.host_key("registry-1", "ed25519")
    public_file(lost).unlink()
    make_keys(where, ["registry-1"])
    assert {path for path in made if path.read_bytes() != made[path]} == {lost, public_file(lost)}
    assert [path.name for path in where.state.rglob(".*")] == []


def test_a_command_is_passed_on_after_the_name_of_the_host(tmp_path: Path) -> None:
    where = places(tmp_path)
    arguments = ssh_arguments(where, "db-1", ("uptime", "--pretty"), batch=True)
    assert arguments[:3] == ("ssh", "-F", str(where.ssh_config))
    assert "BatchMode=yes" in arguments
    assert arguments[-4:] == ("db-1", "--", "uptime", "--pretty")
    assert ssh_arguments(where, "db-1") == ("ssh", "-F", str(where.ssh_config), "db-1")
