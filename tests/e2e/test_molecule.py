"""The Molecule scenarios, as a user's pipeline runs them."""

from __future__ import annotations

import pytest
from conftest import run


def test_registry_node() -> None:
    tested = run("molecule", "test", "-s", "registry_node", seconds=1200)
    assert tested.returncode == 0, tested.stdout[-6000:] + tested.stderr[-3000:]


@pytest.mark.long  # minutes: two hosts install a database and Java, and 300 MB of programs go to one of them
def test_registry_standalone() -> None:
    tested = run("molecule", "test", "-s", "registry_standalone", seconds=1800)
    assert tested.returncode == 0, tested.stdout[-6000:] + tested.stderr[-3000:]
