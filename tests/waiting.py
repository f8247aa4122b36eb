"""Waits for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_AnswerT = TypeVar("_AnswerT")


def wait_until(
    condition: Callable[[], _AnswerT], otherwise: str, seconds: float = 60.0, *, pause: float = 0.05
) -> _AnswerT:
    """Ask again until it is so; the first answer that counts as true.

    Args:
        condition: The question.
        otherwise: What is so when the time is over.
        seconds: For how long it is asked.
        pause: Seconds between two questions.

    Raises:
        AssertionError: it is not so in time.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{otherwise} after {seconds:.0f} s"
        time.sleep(pause)
    return answer
