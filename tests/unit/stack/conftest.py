from __future__ import annotations

from pathlib import Path

import pytest
from stack_samples import local_stack

from palisade.stack.model import Stack


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PULUMI_HOME", raising=False)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """The stack of a local fleet; nothing of it has been made."""
    root = tmp_path / "project"
    root.mkdir()
    return local_stack(root)
