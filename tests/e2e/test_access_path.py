"""The access path of the running fleet: its story, the TLS versions of both ports, and what nobody reaches."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
from conftest import ENVIRONMENT, run
from local_cluster import RETURN_SECONDS, every_deployment_has_its_pods

from palisade.fleet import Fleet, HostGroup
from tests.waiting import wait_until

PUBLISHED = (443, 8443)
CLOSED = (8080, 8081, 8282, 8283, 9000, 9901)
"""Apicurio, probes, OPA's health, its bundle, Apicurio's management, and Envoy's admin interface."""


@pytest.fixture(scope="module", autouse=True)
def all_pods(fleet: Fleet) -> None:
    """Tests before these have rebooted a node."""
    del fleet
    wait_until(every_deployment_has_its_pods, "not every pod is back", RETURN_SECONDS)


def addresses(fleet: Fleet) -> list[str]:
    return [str(host.address) for host in fleet.in_group(HostGroup.REGISTRY)]


def connect(address: str, port: int, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL itself would refuse what is old
    context.minimum_version = context.maximum_version = version
    with socket.create_connection((address, port), timeout=5) as plain, context.wrap_socket(plain):
        pass


def test_every_request_of_the_story_is_answered_and_recorded_as_promised(fleet: Fleet) -> None:
    del fleet
    told = run("palisade", "local", "demo", "--environment", ENVIRONMENT, "--output", "json", seconds=120)
    assert told.returncode == 0, told.stdout + told.stderr
    assert all(one["holds"] for one in json.loads(told.stdout)["requests"])


@pytest.mark.parametrize("port", PUBLISHED)
def test_old_versions_of_tls_are_refused(port: int, fleet: Fleet) -> None:
    for address in addresses(fleet):
        for good in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            connect(address, port, good)
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            with pytest.raises(ssl.SSLError):
                connect(address, port, old)


@pytest.mark.parametrize("port", CLOSED)
def test_nothing_else_of_the_pod_is_reached(port: int, fleet: Fleet) -> None:
    for address in addresses(fleet):
        with pytest.raises(OSError, match=r"timed out|refused"):
            socket.create_connection((address, port), timeout=2).close()
