"""How pulumi is called: questions are answered or explained, and Ctrl-C is pulumi's own.

The ``pulumi`` here is a shell script; the real one is tested in ``tests/e2e/test_stack_commands.py``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from palisade.errors import MachineError, PalisadeError
from palisade.stack.command import Pulumi
from palisade.stack.failures import ChangesError, MissingError, failure
from palisade.stack.model import Stack
from palisade.stack.surroundings import surroundings
from tests.waiting import wait_until


def pulumi(stack: Stack, script: str) -> Pulumi:
    program = stack.project.root / "pulumi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Pulumi(program, stack, surroundings(stack))


def test_an_answer_is_what_it_writes_to_standard_output(stack: Stack) -> None:
    answer = pulumi(stack, 'echo "$@"; echo aside >&2').answer("stack", "output")
    root = stack.project.root
    assert answer == f"stack output --non-interactive --color never --stack local --cwd {root}\n"


def test_a_missing_stack_is_an_error_of_its_own(stack: Stack) -> None:
    with pytest.raises(MissingError, match="has no stack yet") as refused:
        pulumi(stack, "echo \"error: no stack named 'local' found\" >&2; exit 6").answer("stack", "export")
    assert refused.value.where == "pulumi stack export --stack local"


def test_a_program_that_cannot_be_started_is_named(stack: Stack) -> None:
    broken = Pulumi(stack.project.root / "gone", stack, surroundings(stack))
    for call in (broken.answer, broken.show):
        with pytest.raises(MachineError) as refused:
            call("up")
        assert refused.value.where == str(broken.program)


@pytest.mark.parametrize("how", ["answer", "show"])
def test_the_salt_that_pulumi_adds_is_taken_out_of_the_versioned_file(how: str, stack: Stack) -> None:
    versioned = stack.configuration_file.read_bytes()
    getattr(pulumi(stack, f"echo 'encryptionsalt: v1:abc' >> '{stack.configuration_file}'"), how)("up")
    assert stack.configuration_file.read_bytes() == versioned


def test_a_file_that_was_not_touched_is_not_written(stack: Stack) -> None:
    before = stack.configuration_file.stat()
    pulumi(stack, "true").answer("up")
    after = stack.configuration_file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_salt_of_other_stacks_stays_it_belongs_in_the_file(stack: Stack) -> None:
    stack.configuration_file.write_text("encryptionsalt: v1:abc\n")
    team = Stack(**{**vars(stack), "is_local": False})
    pulumi(team, "true").answer("up")
    assert stack.configuration_file.read_text() == "encryptionsalt: v1:abc\n"


def test_variables_can_be_added_for_one_call(stack: Stack) -> None:
    plain = pulumi(stack, 'echo "${EXTRA-none}"')
    assert plain.adding({"EXTRA": "yes"}).answer("up") == "yes\n"
    assert plain.answer("up") == "none\n"


def test_ctrl_c_is_pulumis_own_and_its_end_is_waited_for(stack: Stack, tmp_path: Path) -> None:
    ready, done = tmp_path / "ready", tmp_path / "done"
    script = f'trap "echo ended in order > {done}; exit 8" INT; touch {ready}; while :; do sleep 0.05; done'
    shown = pulumi(stack, script)
    caller = (
        "import sys; from pathlib import Path; from palisade.project import Project;"
        "from palisade.stack.command import Pulumi; from palisade.stack.model import Stack;"
        "from palisade.stack.surroundings import Surroundings;"
        f"stack = Stack(Project(Path({str(stack.project.root)!r})), 'local', None, 'passphrase', False, None, None);"
        f"sys.exit(Pulumi(Path({str(shown.program)!r}), stack, Surroundings({{}})).show('up'))"
    )
    process = subprocess.Popen([sys.executable, "-c", caller], start_new_session=True)
    wait_until(ready.exists, "pulumi was not started")  # the script has set its trap
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    assert process.wait(timeout=20) == 8
    assert done.read_text() == "ended in order\n"


def test_what_is_no_known_failure_is_said_as_it_is(stack: Stack) -> None:
    with pytest.raises(PalisadeError, match="pulumi failed: error: disk on fire"):
        pulumi(stack, "echo error: disk on fire >&2; exit 1").answer("up")


def test_changes_where_none_were_expected_are_an_error_of_their_own(stack: Stack) -> None:
    with pytest.raises(ChangesError, match="no changes were expected"):
        pulumi(stack, "echo error: no changes were expected >&2; exit 7").answer("preview", "--expect-no-changes")


def test_an_answer_may_take_as_long_as_it_is_told(stack: Stack) -> None:
    with pytest.raises(PalisadeError, match="has not answered within 0 seconds"):
        pulumi(stack, "exec sleep 20").answer("preview", seconds=0.1)


@pytest.mark.parametrize(
    ("said", "is_about_the_state"),
    [
        ("error: [401] Unauthorized: No credentials provided or are invalid.", True),
        ("error: this command requires logging in; try running `pulumi login` first", True),
        ("error: The Kubernetes API server refuses: Unauthorized", False),
    ],
)
def test_a_login_that_the_cluster_refuses_is_not_taken_for_one_of_the_state(
    said: str, stack: Stack, *, is_about_the_state: bool
) -> None:
    explained = failure(said, stack=stack, where="pulumi preview")
    assert ("is not logged in to the place" in explained.problem) == is_about_the_state


SHOWN = """Previewing update (local):
Diagnostics:
  kubernetes:core/v1:ServiceAccount (a):
    error: Preview failed: The Kubernetes API server does not answer: refused
    where: https://cluster.test

  pulumi:pulumi:Stack (palisade-local):
    warning: using pulumi-resource-kubernetes from $PATH
    error: preview failed
    warning: it is late

    Traceback (most recent call last):

Resources:
    2 errored
"""


def test_errors_that_pulumi_only_shows_are_told(stack: Stack) -> None:
    with pytest.raises(PalisadeError) as refused:
        pulumi(stack, f"cat <<'END'\n{SHOWN}END\nexit 1").answer("preview")
    assert refused.value.problem == (
        "pulumi failed: error: Preview failed: The Kubernetes API server does not answer: refused\n"
        "where: https://cluster.test\n"
        "error: preview failed"
    )
