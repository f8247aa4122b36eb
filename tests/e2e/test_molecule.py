"""The Molecule scenario, as a user's pipeline runs it."""

from __future__ import annotations

from conftest import run


def test_registry_node() -> None:
    tested = run("molecule", "test", "-s", "registry_node", seconds=1200)
    assert tested.returncode == 0, tested.stdout[-6000:] + tested.stderr[-3000:]
