"""The same work for every host at once, which a Ctrl-C ends within seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

AT_ONCE = 8
"""How many hosts are worked on at a time: the work is waiting, not computing."""


def for_each(items: Sequence[ItemT], work: Callable[[ItemT, Event], ResultT]) -> list[ResultT]:
    """Do the work for every item; results in the order of the items.

    Args:
        items: What to work on.
        work: Called with an item and with an event that is set when the work should end early, because another item
            failed or the user stopped the command.

    Raises:
        Exception: what the first failing item raised, once the others have ended.
    """
    stop = Event()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [pool.submit(work, item, stop) for item in items]
        try:
            return [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
