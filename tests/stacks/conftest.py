"""A local fleet that nobody has started: the files of its state that the stack reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_state import write_local_state


@pytest.fixture(scope="session", autouse=True)
def local_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the state of users is during the tests."""
    state = tmp_path_factory.mktemp("state")
    write_local_state(state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        yield state
