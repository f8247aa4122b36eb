"""What stays of a local stack when its cluster is gone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from stack_samples import lock_file

from palisade.errors import PalisadeError
from palisade.stack.forget import forget_state
from palisade.stack.model import Stack, local_state_directory
from palisade.stack.surroundings import prepare_local_state


def make_state(stack: Stack) -> None:
    """The files of a stack that was used, as pulumi 3.250 names them."""
    assert stack.files is not None
    prepare_local_state(stack)
    name, own = stack.environment, f"{stack.files.project}/{stack.environment}"
    for path in (
        f"stacks/{own}.json",
        f"stacks/{own}.json.attrs",
        f"stacks/{own}.json.bak",
        f"history/{own}/{name}-1.history.json",
        f"backups/{own}/{name}.1.json",
        "meta.yaml",
    ):
        file = stack.files.pulumi / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")


def test_nothing_stays(stack: Stack) -> None:
    make_state(stack)
    assert stack.files is not None
    lock_file(stack.files, 2**22 + 1)  # left by a process that is dead
    assert forget_state("local")
    assert not local_state_directory().exists()
    assert not forget_state("local")


def test_the_other_local_stacks_stay_with_the_passphrase(stack: Stack) -> None:
    assert stack.files is not None
    other = replace(stack, environment="local-2", files=replace(stack.files, stack="local-2"))
    make_state(stack)
    make_state(other)
    assert forget_state("local")
    assert not list(stack.files.own_paths())
    left = {path.name for path in local_state_directory().rglob("*") if path.is_file()}
    assert left >= {"passphrase", "local-2.json", "local-2-1.history.json", "local-2.1.json"}
    assert not {name for name in left if name.startswith(("local.", "local-1"))}


def test_a_stack_that_somebody_works_on_stays(stack: Stack) -> None:
    make_state(stack)
    assert stack.files is not None
    lock_file(stack.files, os.getpid())
    with pytest.raises(PalisadeError, match="is being changed"):
        forget_state("local")
    assert stack.files.exists


def test_a_state_in_a_place_of_the_user_stays(stack: Stack, tmp_path: Path) -> None:
    assert stack.files is not None
    own_place = replace(stack, files=replace(stack.files, directory=tmp_path / "mine"))
    make_state(own_place)
    assert not forget_state("local")
    assert own_place.files is not None
    assert own_place.files.exists
