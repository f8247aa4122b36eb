"""What the user sees: progress on standard error, the answer on standard output (text or JSON)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.text import Text

from palisade.errors import PalisadeError

ANSWER = Console(highlight=False)
"""Standard output: only the answer."""
PROGRESS = Console(stderr=True, highlight=False)
"""Standard error: what is happening."""
HEARTBEAT_SECONDS = 60.0
"""How often a long step says what it does where there is no terminal."""


class OutputFormat(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


def print_json(document: Any) -> None:
    """Print one JSON document to standard output: sorted keys, so the same answer is the same bytes."""
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, default=str) + "\n")


def print_error(error: PalisadeError, output: OutputFormat = OutputFormat.TEXT) -> None:
    """Show an error: labelled lines on standard error and, for machines, one JSON document on standard output."""
    for label, text in error.lines():
        style = "bold red" if label == "error" else "bold"
        PROGRESS.print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)
    if output is OutputFormat.JSON:
        print_json(
            {
                "error": {label.replace(" ", "_"): text for label, text in error.lines()},
                "exit_code": int(error.exit_code),
            }
        )


@dataclass
class Steps:
    """Progress of long work: which step, how long it has taken, what comes next.

    Args:
        titles: All steps in order, so that the next one can be announced.
    """

    titles: Sequence[str]
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each finished step took."""

    @contextmanager
    def step(self, title: str, *, usually: str | None = None) -> Iterator[Step]:
        """Run one of the steps; a live clock on a terminal, plain lines elsewhere.

        Args:
            title: One of ``titles``.
            usually: How long it usually takes, in words; shown while it runs.

        Raises:
            ValueError: ``title`` is not one of the announced steps.
        """
        number = list(self.titles).index(title) + 1
        position = f"[{number}/{len(self.titles)}]"
        following = f", then: {self.titles[number].lower()}" if number < len(self.titles) else ""
        hint = f" (usually {usually}{following})" if usually else ""
        started = time.monotonic()
        running = Step()
        if PROGRESS.is_terminal:
            with PROGRESS.status("", spinner="dots") as status:
                running.listener = lambda detail: status.update(f"{position} {title}{hint} [dim]{detail}[/dim]")
                running.detail("")
                yield running
        else:
            PROGRESS.print(f"{position} {title}{hint}", markup=False)
            running.listener = _Heartbeat(position, said=started).say
            yield running
        elapsed = time.monotonic() - started
        self.seconds[title] = round(elapsed, 2)
        outcome = f": {running.outcome}" if running.outcome else ""
        PROGRESS.print(f"{position} {title}{outcome} ({elapsed:.1f} s)", markup=False)


@dataclass
class Step:
    """One running step: ``detail`` is what it does now, ``note`` what must stay readable, ``outcome`` the end."""

    outcome: str = ""
    listener: Any = None

    def detail(self, text: str) -> None:
        """Say what happens now: live on a terminal, once a minute elsewhere."""
        if self.listener is not None:
            self.listener(text)

    def note(self, text: str) -> None:
        """Say something that stays on the terminal and in a pipeline's log."""
        PROGRESS.print(text, markup=False, soft_wrap=True)


@dataclass
class _Heartbeat:
    """Keeps a pipeline's log alive during a long step, without a line for every detail."""

    position: str
    said: float

    def say(self, text: str) -> None:
        now = time.monotonic()
        if now - self.said >= HEARTBEAT_SECONDS:
            self.said = now
            PROGRESS.print(f"{self.position} {text}", markup=False, soft_wrap=True)
