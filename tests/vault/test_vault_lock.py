"""Two applies at once: the second is refused and told why; a lock whose holder has died ends by the server's clock."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest
from conftest import session_in
from vault_place import Place

from palisade.errors import PalisadeError
from palisade.vault import lock as lock_module
from palisade.vault.lock import exclusive
from palisade.vault.planning import apply, make_plan
from palisade.vault.session import Session
from tests.waiting import wait_until

LOCK = "secret/data/palisade/lock"


@pytest.fixture
def drifted(place: Place) -> Iterator[Session]:
    """With one difference, so that an apply has something to do."""
    place.server.client().write_data("pki/roles/hosts", data={"allow_any_name": True})
    with session_in(place) as session:
        yield session
        apply(session.context, session.declared, lock=session.lock)


def test_the_second_of_two_is_refused_and_changes_nothing(drifted: Session, place: Place) -> None:
    with exclusive(drifted.vault, LOCK), pytest.raises(PalisadeError) as refused:
        apply(drifted.context, drifted.declared, lock=drifted.lock)
    problem, where, remedy = str(refused.value).splitlines()
    assert re.fullmatch(
        r"error: \S+ on \S+, process \d+ is changing this Vault since \d\d:\d\d:\d\d UTC; nothing was changed\.",
        problem,
    )
    assert where == f"where: {LOCK}"
    assert re.fullmatch(
        r"what to do: wait until that is done; if that process has died, the lock ends by itself at \d\d:\d\d:\d\d UTC",
        remedy,
    )
    assert place.server.client().read("pki/roles/hosts")["data"]["allow_any_name"] is True
    (made,) = apply(drifted.context, drifted.declared, lock=drifted.lock)
    assert made.path == "pki/roles/hosts", "the lock is free again"


def test_a_lock_is_free_after_an_error(drifted: Session) -> None:
    with pytest.raises(RuntimeError), exclusive(drifted.vault, LOCK):
        raise RuntimeError
    with exclusive(drifted.vault, LOCK):
        pass


def test_a_lock_that_was_deleted_by_hand_is_free(drifted: Session, place: Place) -> None:
    with exclusive(drifted.vault, LOCK):
        pass
    place.server.client().delete(LOCK)
    with exclusive(drifted.vault, LOCK), pytest.raises(PalisadeError, match="is changing this Vault"):
        apply(drifted.context, drifted.declared, lock=drifted.lock)


def test_a_dead_holder_s_lock_ends(drifted: Session, place: Place) -> None:
    client = place.server.client()
    dead = {"holder": "somebody on elsewhere, process 1", "nonce": "x", "since": 0, "ends": drifted.vault.now() + 1.5}
    client.write_data(LOCK, data={"data": dead})
    with pytest.raises(PalisadeError, match="somebody on elsewhere, process 1 is changing this Vault"):
        apply(drifted.context, drifted.declared, lock=drifted.lock)
    time.sleep(3)  # until the server's clock, which counts whole seconds, is past the end
    apply(drifted.context, drifted.declared, lock=drifted.lock)
    assert make_plan(drifted.context, drifted.declared).changes == ()


def test_whoever_lost_the_lock_leaves_the_new_holder_alone(drifted: Session, place: Place) -> None:
    client = place.server.client()
    other = {"holder": "another", "nonce": "y", "since": 0, "ends": drifted.vault.now() + 600}
    with exclusive(drifted.vault, LOCK):
        client.write_data(LOCK, data={"data": other})
    assert client.read(LOCK)["data"]["data"]["holder"] == "another"
    client.write_data(LOCK, data={"data": {}})


def test_who_is_too_slow_stops_before_the_lock_ends(drifted: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "LOCK_SECONDS", 60.0)
    with pytest.raises(PalisadeError) as refused:
        apply(drifted.context, drifted.declared, lock=drifted.lock)
    assert str(refused.value).splitlines() == [
        "error: This took so long that the lock ends: somebody else may begin.",
        f"where: {LOCK}",
        "what to do: run the same command again; it goes on where this one stopped",
    ]


def test_of_many_at_the_same_moment_exactly_one_holds_it(drifted: Session, place: Place) -> None:
    entered: list[int] = []
    refused: list[str] = []
    start = threading.Barrier(6)
    end = threading.Event()

    def try_it(number: int) -> None:
        with session_in(place) as session:
            start.wait()
            try:
                with exclusive(session.vault, LOCK):
                    entered.append(number)
                    end.wait(20)
            except PalisadeError as error:
                refused.append(error.problem)

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(refused) == 5, "not all others are refused", 20)
    finally:
        end.set()
    for thread in threads:
        thread.join()
    assert (len(entered), len(refused)) == (1, 5)
    assert drifted.environment == "here"
