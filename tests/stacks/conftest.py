"""What the stack reads of a user's state: no local fleet was started; Vault's authority and a bundle are everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stacks_program import PROJECT_ROOT

from tests.local_state import write_authority, write_bundle, write_local_state


@pytest.fixture(scope="session", autouse=True)
def local_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the state of users is during the tests."""
    state = tmp_path_factory.mktemp("state")
    write_local_state(state)
    for path in PROJECT_ROOT.glob("Pulumi.*.yaml"):
        environment = path.name.split(".")[1]
        write_bundle(state, environment)
        write_authority(state, environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state))
        yield state
