"""PostgreSQL and Redis on the database host: who gets in, what a backup holds, and what a reboot leaves."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest
from conftest import on_host, playbook, reboot, recap

from palisade.fleet import Fleet, HostGroup
from palisade.verification.probes import connect

HOST = "db-1"
UNITS = "postgresql@17-main.service redis-server.service palisade-postgresql-backup.timer"
PORTS = (5432, 6379, 6380)
DATABASE = {"name": "registry", "owner": "owner", "schema": "registry", "user": "registry", "connections": 5}
PROBES = Path(connect.__file__).parent

pytestmark = pytest.mark.usefixtures("fleet")


def data(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``ansible-playbook -i inventories/local playbooks/data.yml`` with more arguments."""
    return playbook("playbooks/data.yml", *arguments)


def as_superuser(program: str) -> str:
    """The output of a program on the database host that runs as the superuser of the database."""
    answer = on_host(HOST, f"cd / && sudo runuser --user=postgres -- {program}", seconds=120)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def sql(statement: str) -> str:
    """What the registry's database answers."""
    return as_superuser(f"psql -XAtq --dbname=registry --command={shlex.quote(statement)}")


def probe(source: str, name: str, *arguments: str) -> dict[str, str]:
    """What one of the programs that the checks use finds out, started on another host."""
    program = (PROBES / f"{name}.py").read_text(encoding="utf-8")
    answer = on_host(source, shlex.join(["python3", "-c", program, *arguments]))
    assert answer.returncode == 0, answer.stderr
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def test_a_second_run_changes_nothing() -> None:
    data()  # after a reboot the agent has new certificates, which the servers get with this run at the latest
    second = data()
    assert second.returncode == 0, second.stdout[-4000:]
    assert recap(second.stdout)[HOST].changed == 0


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"postgresql_clients": ["0.0.0.0/0"]}, "postgresql_clients is 0.0.0.0/0; allowed are addresses and networks"),
        ({"postgresql_users": []}, "postgresql_users has no password of registry"),
        ({"postgresql_backup_kept": 1}, "postgresql_backup_kept is 1; allowed are 2 or more"),
        (
            {"postgresql_databases": [DATABASE | {"name": "Registry; DROP"}]},
            "Registry; DROP: allowed in names of databases, schemas and roles are a to z, digits and underscores",
        ),
        ({"postgresql_databases": [DATABASE | {"user": "postgres"}]}, "each named once, and never postgres"),
        ({"redis_rights": {"everybody": "~jwks:* +@all"}}, "redis_rights (everybody): allowed are named users"),
        (
            {"redis_users": [{"name": "registry-reader", "password": "short"}]},
            "20 characters or more of registry-reader",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_before_a_host_is_touched(variables: dict[str, object], message: str) -> None:
    refused = data("--extra-vars", json.dumps(variables))
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
    assert recap(refused.stdout)[HOST].changed == 0


@pytest.mark.parametrize(
    ("user", "version", "answer"),
    [
        ("registry", "TLSv1.3", "SCRAM-SHA-256"),
        ("registry", "TLSv1.2", "refused"),
        ("registry", "none", "no pg_hba.conf entry"),
        ("postgres", "TLSv1.3", "no pg_hba.conf entry"),
    ],
)
def test_a_registry_host_is_asked_for_its_password_in_one_way_only(
    fleet: Fleet, user: str, version: str, answer: str
) -> None:
    address = str(next(host.address for host in fleet.hosts if host.name == HOST))
    assert answer in probe("registry-1", "postgresql_login", address, "5432", user, "registry", version)["answer"]


def test_no_other_host_reaches_either_server(fleet: Fleet) -> None:
    address = str(next(host.address for host in fleet.hosts if host.name == HOST))
    others = [host for host in fleet.hosts if host.group not in {HostGroup.REGISTRY, HostGroup.DATABASE}]
    assert others
    for host in others:
        found = probe(host.name, "connect", address, "1.0", *map(str, PORTS))
        assert set(found.values()) == {"silence"}, host.name
    assert set(connect.answers(address, 1.0, list(PORTS)).values()) == {"silence"}, "this machine"


def test_a_restored_backup_is_what_the_database_is_now() -> None:
    sql("CREATE TABLE registry.restore_test AS SELECT 'before the backup' AS written")
    try:
        made = on_host(HOST, "sudo systemctl start palisade-postgresql-backup.service", seconds=180)
        assert made.returncode == 0, made.stderr
        sql("INSERT INTO registry.restore_test VALUES ('after the backup')")
        restored = on_host(HOST, "sudo systemctl start palisade-postgresql-restore-check.service", seconds=180)
        assert restored.returncode == 0, restored.stderr
        result = json.loads(on_host(HOST, "sudo cat /var/lib/postgresql/restore-check.json").stdout)
        dump = as_superuser("pg_dump --restrict-key=palisade registry | sha256sum").split()[0]
        assert result["databases"]["registry"] == dump
    finally:
        sql("DROP TABLE registry.restore_test")


def test_a_reboot_comes_back_with_the_data() -> None:
    sql("CREATE TABLE registry.reboot_test AS SELECT 'still here' AS written")
    try:
        reboot(HOST)
        waited = on_host(HOST, f"systemctl is-system-running --wait; systemctl is-active {UNITS}", seconds=120)
        assert waited.returncode == 0, waited.stdout
        assert sql("SELECT written FROM registry.reboot_test") == "still here"
    finally:
        sql("DROP TABLE registry.reboot_test")
