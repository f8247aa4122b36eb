"""Waits for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_AnswerT = TypeVar("_AnswerT")
_LOOK_SECONDS = 0.05


def wait_until(condition: Callable[[], _AnswerT], otherwise: str, seconds: float = 30.0) -> _AnswerT:
    """Ask again until it is so; the first answer that counts as true.

    Raises:
        AssertionError: it is not so in time.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{otherwise} after {seconds:.0f} s"
        time.sleep(_LOOK_SECONDS)  # between two questions
    return answer
