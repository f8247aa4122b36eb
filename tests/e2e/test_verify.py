"""``palisade verify local`` on the hardened fleet: nothing fails, and the evidence is written."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import on_host, reboot, run
from local_cluster import RETURN_SECONDS, every_deployment_has_its_pods, get

from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("fleet")


def test_no_control_fails_on_the_hardened_fleet() -> None:
    verified = run("palisade", "verify", "local", "--output", "json")
    assert verified.returncode == 0, verified.stdout[-3000:] + verified.stderr[-3000:]
    evidence = Path(json.loads(verified.stdout)["report"]).parent
    written = {path.name for path in evidence.iterdir()}
    assert {"results.json", "junit.xml", "report.html", "results.csv", "manifest.sha256"} <= written
    statuses = {result["status"] for result in json.loads((evidence / "results.json").read_text())["results"]}
    assert statuses == {"pass", "not_assessable"}
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "manifest.sha256"], cwd=evidence, check=False
    )
    assert checked.returncode == 0


def pods_came_back(host: str, since: str) -> bool:
    """Whether every Deployment has its pods, and those on this host have started after that time (RFC 3339)."""
    if not every_deployment_has_its_pods():
        return False
    pods = get("pods", "--all-namespaces", f"--field-selector=spec.nodeName={host},status.phase=Running")["items"]
    containers = [status for pod in pods for status in pod["status"].get("containerStatuses", ())]
    return bool(containers) and all(
        status["ready"] and status["state"].get("running", {}).get("startedAt", "") > since for status in containers
    )


def test_a_rebooted_host_is_still_hardened() -> None:
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reboot("registry-2")
    wait_until(lambda: pods_came_back("registry-2", before), "the pods of registry-2 are not back", RETURN_SECONDS)
    assert on_host("registry-2", "systemctl is-system-running --wait").stdout.strip() == "running"
    verified = run("palisade", "verify", "local", "--host", "registry-2")
    assert verified.returncode == 0, verified.stdout[-3000:]
