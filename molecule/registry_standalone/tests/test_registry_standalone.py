"""The registry and its edge on a host without Kubernetes: what runs, who gets in, and what is written down."""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from conftest import ADDRESS, APIS, MANAGEMENT, Edge, records, wait_until
from cryptography import x509
from testinfra.host import Host

from palisade.local.certificates import Authority, Subject

RECORDS, SUMMARY, SLOW = "/v1/finance/records", "/v1/finance/summary", "/v1/finance/slow"
OFFICER, ANALYST = "compliance_officer", "analyst"
READER, ADMINISTRATOR = "registry_reader", "registry_admin"
INFORMATION = "/apis/registry/v3/system/info"
UNITS = {"palisade-envoy": "palisade-envoy", "palisade-opa": "palisade-opa", "registry-service": "registry-service"}
BACK_SECONDS = 5.0


def main_process(host: Host, unit: str) -> int:
    return int(host.check_output(f"systemctl show --property=MainPID --value {unit}.service"))


def active_requests(host: Host) -> int:
    question = "http://127.0.0.1:9901/stats?filter=^http[.]apis[.]downstream_rq_active$"
    program = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    return int(host.check_output("python3 -c %s %s", program, question).rpartition(":")[2])


@pytest.mark.parametrize(("unit", "user"), UNITS.items())
def test_each_unit_runs_as_its_own_user_without_rights(registry: Host, unit: str, user: str) -> None:
    service = registry.service(f"{unit}.service")
    assert service.is_running
    assert service.is_enabled
    status = registry.file(f"/proc/{main_process(registry, unit)}/status").content_string
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(found["Uid"].split()) == {str(registry.user(user).uid)}
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    # bit 10 is CAP_NET_BIND_SERVICE (capability.h)
    allowed = 1 << 10 if unit == "palisade-envoy" else 0
    assert {int(found[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {allowed}
    assert registry.user(user).shell == "/usr/sbin/nologin"


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_cannot_write_to_the_host(registry: Host, unit: str) -> None:
    tried = registry.run(
        "nsenter --target %s --mount -- touch /etc/palisade/written", str(main_process(registry, unit))
    )
    assert tried.rc != 0
    assert "Read-only file system" in tried.stderr


def test_the_registry_may_use_no_more_memory_than_it_was_given(registry: Host) -> None:
    limits = registry.check_output("systemctl show --property=MemoryMax,MemorySwapMax --value registry-service.service")
    assert limits.split() == [str(768 * 1024 * 1024), "0"]


def test_from_outside_only_443_and_8443_are_there(registry: Host) -> None:
    lines = registry.check_output("ss --no-header --listening --tcp --numeric --processes").splitlines()
    listening = {(line.split()[3].rpartition(":"), re.findall(r'"([^"]+)"', line)[0]) for line in lines}
    outside = {
        (int(port), program)
        for (address, _, port), program in listening
        if address not in {"127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"}
    }
    assert outside - {(22, "sshd"), (22, "systemd")} == {(APIS, "envoy"), (MANAGEMENT, "envoy")}
    inside = {int(port) for (address, _, port), _ in listening if "127.0.0.1" in address}
    assert {8080, 8081, 8282, 8283, 9000, 9901} <= inside
    for port in sorted(inside):
        with pytest.raises(OSError):  # noqa: PT011 - refused, or silence
            socket.create_connection((ADDRESS, port), timeout=1)


def test_the_login_of_the_database_is_roots_alone(registry: Host, stand_ins: Path) -> None:
    password = (stand_ins / "database-password").read_text()
    file = registry.file("/etc/palisade/registry-service/database.properties")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)
    assert password in file.content_string
    process = main_process(registry, "registry-service")
    for name in ("environ", "cmdline"):
        assert password not in registry.check_output("cat -v /proc/%s/%s", str(process), name)
    shown = registry.check_output("systemctl show registry-service.service")
    assert password not in shown


def test_the_keys_of_the_edge_are_of_envoy_alone(registry: Host) -> None:
    file = registry.file("/etc/palisade/certificates/edge/tls.key")
    assert (file.user, file.mode) == ("palisade-envoy", 0o600)
    socket_file = registry.file("/run/opa")
    assert (socket_file.user, socket_file.group, socket_file.mode) == ("palisade-opa", "palisade-access", 0o750)


def test_who_gets_through(edge: Edge) -> None:
    status, body = edge.ask(RECORDS, OFFICER)
    assert status == 200
    told = json.loads(body)
    assert told["path"] == RECORDS
    assert told["headers"]["x-palisade-tls-version"] == "TLSv1.3"
    assert "authorization" not in told["headers"]
    assert edge.ask(RECORDS)[0] == 401
    assert edge.ask(RECORDS, ANALYST)[0] == 403
    assert edge.ask(RECORDS, OFFICER, tls=ssl.TLSVersion.TLSv1_2)[0] == 403
    assert edge.ask(SUMMARY, ANALYST, tls=ssl.TLSVersion.TLSv1_2)[0] == 200
    assert edge.ask("/v1/secret", OFFICER)[0] == 404


def test_a_token_of_somebody_else_is_none(edge: Edge) -> None:
    stranger = Edge(edge.authority, type(edge.issuer)())
    assert stranger.ask(RECORDS, OFFICER)[0] == 401


@pytest.mark.parametrize("port", [APIS, MANAGEMENT])
def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(edge: Edge, port: int) -> None:
    spoken = {}
    for version in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        connection = edge.connection(port, version)
        try:
            connection.connect()
            spoken[version] = connection.sock.version() if isinstance(connection.sock, ssl.SSLSocket) else None
        except ssl.SSLError:
            spoken[version] = None
        finally:
            connection.close()
    assert list(spoken.values()) == [None, "TLSv1.2", "TLSv1.3"]


@pytest.mark.parametrize(("path", "roles", "status"), [(SUMMARY, (ANALYST,), 200), (SUMMARY, (), 401)])
def test_each_request_leaves_one_record(
    registry: Host, edge: Edge, path: str, roles: tuple[str, ...], status: int
) -> None:
    request = secrets.token_hex(8)
    assert edge.ask(path, *roles, request=request)[0] == status

    def found() -> list[dict[str, Any]]:
        return [record for record in records(registry) if record["request_id"] == request]

    wait_until(lambda: bool(found()), 10)
    (record,) = found()
    assert (record["status"], record["listener"], record["emitter"]) == (status, "apis", "registry-1")
    assert record["tls"]["version"] == "TLSv1.3"
    assert record["route"] == path
    assert (record["decision"]["rule"] is not None) == (status == 200), "without a token OPA is not asked"


def test_the_registry_is_reached_through_8443_by_those_who_may(edge: Edge) -> None:
    status, body = edge.ask(INFORMATION, READER, port=MANAGEMENT)
    assert status == 200
    assert json.loads(body)["version"].startswith("3.")
    assert edge.ask(INFORMATION, port=MANAGEMENT)[0] == 401
    assert edge.ask(INFORMATION, ANALYST, port=MANAGEMENT)[0] == 403
    assert edge.ask("/health/ready", ADMINISTRATOR, port=MANAGEMENT)[0] == 404


def test_what_is_published_is_in_the_database_and_there_after_a_restart(
    registry: Host, database: Host, edge: Edge
) -> None:
    def palisade(*arguments: str, role: str) -> str:
        place = ("--address", f"https://{ADDRESS}:{MANAGEMENT}", "--ca-file", str(edge.authority), "--output", "json")
        command = ["palisade", "registry", arguments[0], "molecule", *arguments[1:], *place]
        finished = subprocess.run(
            [*command, "--token", edge.issuer.token(role)], capture_output=True, text=True, check=False, timeout=60
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    palisade("publish", "policies/api/examples/finance.yaml", "--git-commit", "1" * 40, role=ADMINISTRATOR)
    before = main_process(registry, "registry-service")
    registry.check_output("systemctl restart registry-service.service")
    wait_until(lambda: edge.status(INFORMATION, READER, port=MANAGEMENT) == 200, 120)
    assert main_process(registry, "registry-service") != before
    (version,) = json.loads(palisade("list", role=READER))["versions"]
    assert (version["name"], version["version"], version["git_commit"]) == ("finance", "1.0.0", "1" * 40)
    kept = database.check_output(
        "cd / && runuser --user=postgres -- psql -XAtq --dbname=registry "
        "--command='SELECT count(*) FROM registry.versions'"
    )
    assert int(kept) == 1


def test_without_opa_nobody_gets_through_and_with_it_everybody_within_five_seconds(registry: Host, edge: Edge) -> None:
    registry.check_output("systemctl stop palisade-opa.service")
    try:
        assert edge.ask(SUMMARY, ANALYST)[0] == 503
        assert edge.ask(INFORMATION, READER, port=MANAGEMENT)[0] == 200, "8443 does without OPA"
    finally:
        registry.check_output("systemctl start palisade-opa.service")
    assert wait_until(lambda: edge.status(SUMMARY, ANALYST) == 200, BACK_SECONDS) < BACK_SECONDS


def test_a_hung_opa_lets_nobody_through(registry: Host, edge: Edge) -> None:
    registry.check_output("systemctl kill --signal=STOP palisade-opa.service")
    try:
        assert edge.ask(SUMMARY, ANALYST)[0] == 503
    finally:
        registry.check_output("systemctl kill --signal=CONT palisade-opa.service")
    wait_until(lambda: edge.status(SUMMARY, ANALYST) == 200, BACK_SECONDS)


def test_a_restart_cuts_nobodys_request(registry: Host, edge: Edge) -> None:
    before = main_process(registry, "palisade-envoy")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(edge.ask, SLOW, ANALYST)
        wait_until(lambda: active_requests(registry) == 1, 3)
        registry.check_output("systemctl restart palisade-envoy.service")
        assert slow.result()[0] == 200
    assert main_process(registry, "palisade-envoy") != before
    wait_until(lambda: edge.status(SUMMARY, ANALYST) == 200, 10)


def test_a_renewed_certificate_is_served_without_a_restart(
    registry: Host, edge: Edge, tmp_path: Path, stand_ins: Path
) -> None:
    def serial() -> int:
        connection = edge.connection(APIS)
        connection.connect()
        try:
            assert isinstance(connection.sock, ssl.SSLSocket)
            shown = connection.sock.getpeercert(binary_form=True)
        finally:
            connection.close()
        assert shown is not None
        return x509.load_der_x509_certificate(shown).serial_number

    for name in ("authority.crt", "authority.key"):
        (tmp_path / name).write_bytes((stand_ins / name).read_bytes())
    pair = Authority(tmp_path, "unused").issue("edge", Subject("renewed", addresses=(IPv4Address(ADDRESS),)))
    before, process = serial(), main_process(registry, "palisade-envoy")
    folder = "/etc/palisade/certificates/edge"
    for name, text in (("tls.key", pair.key), ("tls.crt", pair.certificate)):
        # In place, which Envoy does not notice by itself.
        registry.check_output("printf %%s %s > %s/%s", text, folder, name)
    registry.check_output("systemctl reload palisade-envoy.service")
    wait_until(lambda: serial() == pair.parsed.serial_number, 5)
    assert serial() != before
    assert main_process(registry, "palisade-envoy") == process
