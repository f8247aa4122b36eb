"""Whether the process that locked a stack is alive, asked of real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from stack_samples import lock_file

from palisade.errors import PalisadeError
from palisade.stack.locks import Holder, read_locks
from palisade.stack.model import Stack, StateFiles
from palisade.stack.operations import refuse_locked


@pytest.fixture
def files(stack: Stack) -> StateFiles:
    assert stack.files is not None
    return stack.files


def holder(files: StateFiles) -> Holder:
    (lock,) = read_locks(files)
    return lock.holder


def test_a_stack_that_nobody_works_on_has_no_lock(files: StateFiles) -> None:
    assert read_locks(files) == ()


def test_a_running_process_is_alive(files: StateFiles) -> None:
    lock_file(files, os.getpid())
    assert holder(files) is Holder.ALIVE


def test_a_killed_process_is_dead_before_and_after_its_parent_has_noticed(files: StateFiles) -> None:
    process = subprocess.Popen(["sleep", "60"])
    lock_file(files, process.pid)
    assert holder(files) is Holder.ALIVE
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not reaped yet
    assert holder(files) is Holder.DEAD
    process.wait()
    assert holder(files) is Holder.DEAD


def test_a_later_process_with_the_same_id_is_not_the_holder(files: StateFiles) -> None:
    started = datetime.fromtimestamp(psutil.Process().create_time(), tz=UTC)
    lock_file(files, os.getpid(), since=started - timedelta(seconds=10))
    assert holder(files) is Holder.DEAD


def test_a_process_may_lock_in_the_second_in_which_it_starts(files: StateFiles) -> None:
    started = datetime.fromtimestamp(psutil.Process().create_time(), tz=UTC)
    lock_file(files, os.getpid(), since=started - timedelta(seconds=1))
    assert holder(files) is Holder.ALIVE


def test_a_process_of_another_host_cannot_be_judged_from_here(files: StateFiles) -> None:
    lock_file(files, os.getpid(), host="laptop-of-ada")
    assert holder(files) is Holder.ELSEWHERE


def test_the_oldest_lock_comes_first(files: StateFiles) -> None:
    now = datetime.now(tz=UTC)
    lock_file(files, 2, since=now)
    lock_file(files, 3, since=now - timedelta(minutes=1))
    assert [lock.process for lock in read_locks(files)] == [3, 2]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"pid": "x", "username": "", "hostname": "", "timestamp": ""}'])
def test_a_lock_that_cannot_be_read_is_named_and_never_taken_for_none(content: str, files: StateFiles) -> None:
    path = lock_file(files, 1)
    path.write_text(content)
    with pytest.raises(PalisadeError) as refused:
        read_locks(files)
    assert refused.value.where == str(path)


@pytest.mark.parametrize(
    ("host", "process", "problem", "remedy"),
    [
        (None, os.getpid(), "The stack local is being changed: process", f"stop it with: kill -INT {os.getpid()}"),
        (None, 2**22 + 1, "was being changed by a process that is dead: process", "palisade stack recover local"),
        ("laptop", 1, "is locked from another host: process 1 of ada@laptop", "on laptop: palisade stack status local"),
    ],
    ids=["alive", "dead", "elsewhere"],
)
def test_work_on_a_locked_stack_is_refused(
    host: str | None, process: int, problem: str, remedy: str, stack: Stack, files: StateFiles
) -> None:
    path = lock_file(files, process, host=host)
    with pytest.raises(PalisadeError) as refused:
        refuse_locked(stack)
    assert problem in refused.value.problem
    assert remedy in (refused.value.remedy or "")
    assert refused.value.where == str(path)
