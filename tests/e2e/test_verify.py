"""``palisade verify local`` on the hardened fleet: nothing fails, and the evidence is written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import on_host, reboot, run

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


def test_a_rebooted_host_is_still_hardened() -> None:
    reboot("registry-2")
    assert on_host("registry-2", "systemctl is-system-running --wait").stdout.strip() == "running"
    verified = run("palisade", "verify", "local", "--host", "registry-2")
    assert verified.returncode == 0, verified.stdout[-3000:]
