"""An API is published on the running fleet, listed, and there after a pod was killed and the database rebooted."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from conftest import ENVIRONMENT, reboot, run
from local_cluster import get, succeed

from palisade.fleet import Fleet
from palisade.registry.model import moment
from tests.waiting import wait_until

DOCUMENT = "policies/api/examples/finance.yaml"
POD_SECONDS = 180
"""How long a pod may take to serve again: it sleeps before it ends, and Java starts on a shared machine."""
DATABASE_SECONDS = 90


def asked(*arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """``palisade registry`` by somebody who may publish."""
    token = run("palisade", "vault", "token", ENVIRONMENT, "--person", "registry-admin").stdout.strip()
    assert token.count(".") == 2
    return run("palisade", "registry", *arguments, "--token", token, "--output", "json", seconds=seconds)


def registry(*arguments: str, seconds: float = 60) -> Any:
    """What it answers."""
    finished = asked(*arguments, seconds=seconds)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def answers() -> bool:
    """Whether it can be asked at all."""
    return asked("list", ENVIRONMENT).returncode == 0


def listed(state: str) -> list[tuple[str, str]]:
    found = registry("list", ENVIRONMENT, "--state", state)["versions"]
    return [(one["name"], one["version"]) for one in found]


@pytest.fixture(scope="module")
def published(fleet: Fleet) -> Any:
    del fleet
    registry("publish", ENVIRONMENT, DOCUMENT)
    return registry("publish", ENVIRONMENT, DOCUMENT)


def test_a_document_is_published_once_with_its_owner_and_its_commit(published: Any) -> None:
    assert published["done"] == "nothing"
    (found,) = (one for one in registry("list", ENVIRONMENT)["versions"] if one["name"] == "finance")
    assert (found["owner"], found["state"]) == ("finance-platform", "ENABLED")
    assert found["git_commit"] == run("git", "log", "-1", "--format=%H", "--", DOCUMENT).stdout.strip()


def test_it_is_listed_by_its_state(published: Any) -> None:
    del published
    assert ("finance", "1.0.0") in listed("ENABLED")
    assert listed("DISABLED") == []
    registry("publish", ENVIRONMENT, DOCUMENT, "--state", "DEPRECATED")
    try:
        assert ("finance", "1.0.0") in listed("DEPRECATED")
        (found,) = (one for one in registry("list", ENVIRONMENT)["versions"] if one["name"] == "finance")
        assert moment(found["changed"]) > moment(found["published"]), "what its answers say since when it is deprecated"
    finally:
        registry("publish", ENVIRONMENT, DOCUMENT)


def test_it_is_read_back_after_a_pod_was_killed(published: Any) -> None:
    del published
    before = registry("export", ENVIRONMENT)["apis"]
    pods = get("pods", "--namespace=palisade-registry", "--selector=app.kubernetes.io/name=registry")["items"]
    node = pods[0]["spec"]["nodeName"]
    succeed(
        *("delete", "pod", pods[0]["metadata"]["name"], "--namespace=palisade-registry", "--grace-period=1"),
        seconds=POD_SECONDS,
    )
    wait = ("rollout", "status", "deployment/registry", "--namespace=palisade-registry", f"--timeout={POD_SECONDS}s")
    succeed(*wait, seconds=POD_SECONDS + 10)
    placed = get("pods", "--namespace=palisade-registry", "--selector=app.kubernetes.io/name=registry")["items"]
    assert node in {pod["spec"]["nodeName"] for pod in placed}
    assert registry("export", ENVIRONMENT)["apis"] == before


def test_it_is_read_back_after_the_database_host_was_rebooted(published: Any) -> None:
    del published
    before = registry("export", ENVIRONMENT)["apis"]
    pods = get("pods", "--namespace=palisade-registry", "--selector=app.kubernetes.io/name=registry")["items"]
    reboot("db-1")
    wait_until(answers, "the registry does not answer", DATABASE_SECONDS, pause=2)
    assert ("finance", "1.0.0") in listed("ENABLED")
    assert registry("export", ENVIRONMENT)["apis"] == before
    after = get("pods", "--namespace=palisade-registry", "--selector=app.kubernetes.io/name=registry")["items"]
    assert restarts(after) == restarts(pods), "the pods go on without the database"


def restarts(pods: list[dict[str, Any]]) -> dict[str, int]:
    return {
        f"{pod['metadata']['name']} {status['name']}": status["restartCount"]
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
