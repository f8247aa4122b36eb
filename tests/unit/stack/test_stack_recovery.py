"""When a recovery is needed, what it asks of pulumi (here a script), and when it is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from stack_samples import URN, lock_file

from palisade.errors import PalisadeError
from palisade.stack.command import Pulumi
from palisade.stack.forget import forget_state
from palisade.stack.model import Stack, recovery_marker
from palisade.stack.recovery import recover
from palisade.stack.surroundings import surroundings

NOBODY = 2**22 + 1
"""A process id that Linux never gives."""
OPERATION = {"type": "creating", "resource": {"urn": URN, "type": "kubernetes:core/v1:Namespace"}}


@pytest.fixture
def pulumi(stack: Stack) -> Pulumi:
    """Notes its calls; exports ``state.json``, takes what is imported, and removes locks when told to cancel."""
    assert stack.files is not None
    root = stack.project.root
    program = root / "pulumi"
    program.write_text(
        f'#!/bin/sh\necho "$1 $2" >> {root}/calls\n'
        f'case "$1 $2" in\n"stack export") cat {root}/state.json ;;\n"stack import") cp "$4" {root}/state.json ;;\n'
        f"cancel*) rm '{stack.files.locks}'/* ;;\nrefresh*) ! test -e {root}/broken ;;\nesac\n"
    )
    program.chmod(0o755)
    set_state(root)
    return Pulumi(program, stack, surroundings(stack))


def set_state(root: Path, *operations: object) -> None:
    (root / "state.json").write_text(json.dumps({"deployment": {"pending_operations": list(operations)}}))


def changes(pulumi: Pulumi) -> list[str]:
    """The calls so far that change something."""
    file = pulumi.stack.project.root / "calls"
    called = file.read_text().splitlines()
    file.unlink()
    return [call.split()[0] if "stack" not in call else call for call in called if call != "stack export"]


def lock(pulumi: Pulumi, process: int, host: str | None = None) -> None:
    assert pulumi.stack.files is not None
    lock_file(pulumi.stack.files, process, host=host)


def test_a_sound_stack_stays_as_it_is(pulumi: Pulumi) -> None:
    assert not recover(pulumi).was_needed
    assert changes(pulumi) == []


def test_the_lock_of_a_dead_process_goes_before_everything_is_read(pulumi: Pulumi) -> None:
    lock(pulumi, NOBODY)
    assert [one.process for one in recover(pulumi).locks] == [NOBODY]
    assert changes(pulumi) == ["cancel", "refresh"]


def test_what_was_interrupted_is_found_out_also_without_a_lock(pulumi: Pulumi) -> None:
    set_state(pulumi.stack.project.root, OPERATION)
    assert [one.kind for one in recover(pulumi).pending] == ["creating"]
    assert changes(pulumi) == ["stack import", "refresh"]


@pytest.mark.parametrize(("process", "host"), [(os.getpid(), None), (1, "laptop")], ids=["alive", "elsewhere"])
def test_nothing_is_touched_while_somebody_may_be_at_work(process: int, host: str | None, pulumi: Pulumi) -> None:
    lock(pulumi, NOBODY)
    lock(pulumi, process, host)
    with pytest.raises(PalisadeError):
        recover(pulumi)
    assert not (pulumi.stack.project.root / "calls").exists()


def test_a_recovery_that_did_not_end_is_done_again(pulumi: Pulumi) -> None:
    lock(pulumi, NOBODY)
    broken = pulumi.stack.project.root / "broken"
    broken.touch()
    with pytest.raises(PalisadeError, match="pulumi ended with status 1"):
        recover(pulumi)
    assert changes(pulumi) == ["cancel", "refresh"]
    broken.unlink()
    recover(pulumi)
    assert changes(pulumi) == ["refresh"]
    recover(pulumi)
    assert changes(pulumi) == []


def test_a_cluster_that_is_gone_needs_no_recovery() -> None:
    recovery_marker("local").parent.mkdir(parents=True, exist_ok=True)
    recovery_marker("local").touch()
    forget_state("local")
    assert not recovery_marker("local").exists()
