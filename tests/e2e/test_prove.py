"""Every control of the hosts is broken once on a live host, and its check fails."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT, run

from palisade.controls import load_controls

pytestmark = [pytest.mark.usefixtures("fleet"), pytest.mark.long]

OF_THE_CLUSTER = "kubernetes-"
"""Those of the cluster's objects are proven in test_verify_cluster.py, on an API server of their own."""


def test_every_check_fails_when_its_setting_is_broken() -> None:
    names = [one.id for one in load_controls(ROOT).controls if not one.id.startswith(OF_THE_CLUSTER)]
    selected = [word for name in names for word in ("--control", name)]
    proved = run("palisade", "prove", "local", *selected, "--output", "json", seconds=1800)
    assert proved.returncode == 0, proved.stdout[-3000:] + proved.stderr[-3000:]
    assert json.loads(proved.stdout)["kill_rate"] == 1.0
