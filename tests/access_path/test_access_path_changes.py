"""What happens while something changes or is gone: OPA, certificates, routes, Envoy itself."""

from __future__ import annotations

import http.client
import signal
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from palisade.config_values import TlsVersion
from palisade.templates import TEMPLATES
from tests.access_path.client import TLS_1_2, TLS_1_3
from tests.access_path.edge import SLOW_SECONDS, Edge, api, operation, registered
from tests.access_path.edge import edge as running_edge
from tests.access_path.edge import status as plain_status

RECORDS = "/v1/finance/records"
OFFICER = "compliance_officer"
BACK_SECONDS = 5.0


def status(edge: Edge, path: str = RECORDS) -> int:
    return edge.client().ask(path, headers=edge.bearer(OFFICER)).status


def test_nobody_gets_through_while_opa_is_gone(edge: Edge) -> None:
    edge.stop_opa()
    try:
        answer, record = edge.new_record(lambda: edge.client().ask(RECORDS, headers=edge.bearer(OFFICER)))
        assert (answer.status, record["status"], record["reason"]) == (503, 503, "ext_authz_error")
        assert status(edge, "/v1/secret") == 503
        assert edge.client().ask(RECORDS).status == 401, "who has no token is told so all the same"
    finally:
        edge.start_opa()
    edge.wait_until(lambda: status(edge) == 200, BACK_SECONDS)


def test_nobody_gets_through_while_opa_hangs(edge: Edge) -> None:
    with edge.hung_opa():
        started = time.monotonic()
        assert status(edge) == 503
        assert 0.2 < time.monotonic() - started < 2.0
    edge.wait_until(lambda: status(edge) == 200, BACK_SECONDS)


def test_a_renewed_certificate_is_served_without_a_restart(edge: Edge) -> None:
    before, process = edge.client().serial(), edge.envoy.pid
    edge.new_certificate()
    edge.wait_until(lambda: edge.client().serial() != before)
    assert status(edge) == 200
    assert edge.envoy.pid == process


def test_an_api_that_is_registered_or_gone_is_known_without_a_restart(edge: Edge) -> None:
    port = edge.model.apis.apis[0].upstream.port
    kept = [one.model_dump(mode="json") for one in edge.model.apis.apis]
    kept[0]["upstream"]["host"] = "localhost"  # a service of another name is another cluster
    kept.append(api("more", port, operation("/v1/more", OFFICER)))
    try:
        edge.write(replace(edge.model, apis=registered(*kept)))
        edge.wait_until(lambda: route_of(edge, "/v1/more") == "/v1/more")
        assert status(edge) == 200
    finally:
        edge.write(edge.model)
    edge.wait_until(lambda: route_of(edge, "/v1/more") == "unregistered")


def route_of(edge: Edge, path: str) -> str:
    _, record = edge.new_record(lambda: edge.client().ask(path, headers=edge.bearer(OFFICER)))
    return str(record["route"])


def test_files_that_are_wrong_change_nothing(edge: Edge) -> None:
    routes = Path(edge.model.places.configuration) / "routes.yaml"
    sound = routes.read_text()
    try:
        partial = routes.with_suffix(".partial")
        partial.write_text(sound.replace("virtual_hosts", "virtual_hoists"))
        partial.rename(routes)
        time.sleep(0.5)
        assert status(edge) == 200
    finally:
        edge.write(edge.model)
    edge.wait_until(lambda: status(edge) == 200)


def test_the_minimum_decides_who_may_connect(tmp_path: Path, edge: Edge) -> None:
    edge.client().socket(TLS_1_2).close()
    with running_edge(tmp_path, minimum_tls=TlsVersion.TLS_1_3) as strict:
        for client in (strict.client(), strict.management):
            client.socket(TLS_1_3).close()
            for old in (TLS_1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
                with pytest.raises(ssl.SSLError):
                    client.socket(old).close()


@pytest.mark.parametrize("port", ["apis", "management"])
def test_old_versions_and_ciphers_are_refused(port: str, edge: Edge) -> None:
    client = edge.client(getattr(edge.model.ports, port))
    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises(ssl.SSLError):
            client.socket(old).close()
    weak = client.context(TLS_1_2)
    weak.set_ciphers("AES128-SHA:AES256-SHA256:ECDHE-ECDSA-AES128-SHA")
    connection = http.client.HTTPSConnection("127.0.0.1", client.port, context=weak, timeout=5)
    with pytest.raises(ssl.SSLError):
        connection.connect()


def test_the_admin_interface_is_on_loopback_only(tmp_path: Path) -> None:
    with running_edge(tmp_path) as made:
        bootstrap = (Path(made.model.places.configuration) / "envoy.yaml").read_text()
        listening = Path(f"/proc/{made.envoy.pid}/net/tcp").read_text()
    assert 'admin:\n  address: {socket_address: {address: "127.0.0.1"' in bootstrap
    assert f"0100007F:{made.model.ports.admin:04X}" in listening


def test_a_host_that_is_stopped_answers_what_it_was_asked(tmp_path: Path) -> None:
    with running_edge(tmp_path) as made, ThreadPoolExecutor() as threads:
        under_way = threads.submit(status, made, f"{RECORDS}/slow")
        made.wait_until(lambda: f"{RECORDS}/slow" in made.asked)
        drain = [sys.executable, "-I", str(TEMPLATES / "envoy/drain.j2"), str(made.model.ports.admin), "20"]
        started = time.monotonic()
        subprocess.run(drain, check=True, timeout=30)
        assert under_way.done()
        assert time.monotonic() - started < SLOW_SECONDS + 5
        assert under_way.result() == 200
        with pytest.raises(ConnectionRefusedError):
            made.client().socket(TLS_1_3)
        assert plain_status(made.model.ports.health, "/envoy") in {0, 503}
        made.settle()
        made.envoy.send(signal.SIGTERM)
        assert made.envoy.wait(10) == 0
        assert len(made.records()) == 1, "what was recorded is written before it ends"


def test_a_request_that_never_ends_does_not_keep_a_host_from_being_stopped(tmp_path: Path) -> None:
    with running_edge(tmp_path) as made, ThreadPoolExecutor() as threads:
        under_way = threads.submit(status, made, f"{RECORDS}/slow")
        made.wait_until(lambda: f"{RECORDS}/slow" in made.asked)
        drain = [sys.executable, "-I", str(TEMPLATES / "envoy/drain.j2"), str(made.model.ports.admin), "0"]
        subprocess.run(drain, check=True, timeout=30)
        assert not under_way.done()
        under_way.result()
