"""Every control is broken once on the live fleet, and its check fails."""

from __future__ import annotations

import json

import pytest
from conftest import run

pytestmark = [pytest.mark.usefixtures("fleet"), pytest.mark.long]


def test_every_check_fails_when_its_setting_is_broken() -> None:
    proved = run("palisade", "prove", "local", "--output", "json", seconds=3600)
    assert proved.returncode == 0, proved.stdout[-3000:] + proved.stderr[-3000:]
    assert json.loads(proved.stdout)["kill_rate"] == 1.0
