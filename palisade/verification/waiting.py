"""Reads again until something is so: what a check made happen is written, or rolled out, a moment later."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_LOOK_SECONDS = 0.25
_Read = TypeVar("_Read")


def read_until(read: Callable[[], _Read], is_so: Callable[[_Read], object], *, seconds: float) -> _Read:
    """What is read once it is so, or the last that was read when it has not become so in time.

    Args:
        read: Reads afresh each time.
        is_so: What is waited for. Who calls tells what is missing in what comes back.
        seconds: For how long at most.
    """
    deadline = time.monotonic() + seconds
    while not is_so(found := read()) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return found
