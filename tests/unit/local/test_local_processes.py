from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from palisade.errors import ExitCode, PalisadeError
from palisade.local.concurrency import for_each
from palisade.local.lock import exclusive
from palisade.local.processes import attempt, become, run, write_whole


def test_arguments_reach_the_program_as_they_are() -> None:
    assert run(("printf", "%s|", "a b", "$HOME", "; true")) == "a b|$HOME|; true|"
    assert run(("cat",), text="given") == "given"
    assert run(("sh", "-c", "echo $GIVEN"), environment={"GIVEN": "value"}) == "value\n"


def test_a_failure_says_what_was_run_how_it_ended_and_its_last_words() -> None:
    with pytest.raises(PalisadeError) as failed:
        run(("sh", "-c", "seq 40 >&2; exit 3"), remedy="try again")
    assert failed.value.problem.splitlines()[0] == "sh ended with status 3:"
    assert failed.value.problem.splitlines()[1:] == [str(number) for number in range(26, 41)]
    assert failed.value.where == "sh -c seq 40 >&2; exit 3"
    assert (failed.value.remedy, failed.value.exit_code) == ("try again", ExitCode.EXTERNAL)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(PalisadeError, match=r"The program no-such-program is not there\."):
        run(("no-such-program", "--help"))
    with pytest.raises(PalisadeError, match=r"The program no-such-program is not there\."):
        become(("no-such-program", "--help"))


def test_a_program_that_takes_too_long_is_ended_with_its_children() -> None:
    started = time.monotonic()
    answer = attempt(("sh", "-c", "echo begun; sleep 60 & wait"), seconds=0.3)
    assert (answer.status, answer.output) == (124, "begun\n")
    assert time.monotonic() - started < 10


def test_a_file_is_replaced_whole_and_keeps_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "one\n")
    write_whole(path, "two\n")
    assert path.read_text(encoding="utf-8") == "two\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_results_come_in_the_order_of_the_items() -> None:
    assert for_each([3, 1, 2], lambda item, _: item * 10) == [30, 10, 20]


def test_the_first_failure_tells_the_others_to_end() -> None:
    def work(item: int, stop: threading.Event) -> None:
        if item == 0:
            raise PalisadeError("first")
        assert stop.wait(timeout=5), "nobody said stop"

    with pytest.raises(PalisadeError, match="first"):
        for_each([0, 1, 2], work)


def test_a_second_holder_waits_and_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "a/lock"
    events: list[str] = []
    waiting = threading.Event()

    def told(holder: str) -> None:
        events.append(f"waits for {holder}")
        waiting.set()

    def second() -> None:
        with exclusive(path, waiting=told):
            events.append("second")

    with exclusive(path, waiting=told):
        holder = path.read_text(encoding="ascii").strip()
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(timeout=5)
        events.append("first is done")
    thread.join(timeout=5)
    assert events == [f"waits for {holder}", "first is done", "second"]
    assert not path.exists()


def test_a_lock_goes_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(PalisadeError), exclusive(path, waiting=lambda _: None):
        raise PalisadeError("inside")
    assert not path.exists()
