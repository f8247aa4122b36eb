"""What a check function works with: the recorder of what it read, and the way to say "this cannot be shown here"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from palisade.controls import Control
from palisade.results import Observation


class NotAssessable(Exception):  # noqa: N818 - an answer, not an error
    """The target cannot show the control; ends the check, and is never counted as a pass."""


def not_assessable(reason: str) -> NoReturn:
    """End the check because the target cannot show the running state.

    Call it only after the file part was asserted: a wrong file is a failure, in a container too. The plugin refuses it
    when no file was observed.

    Args:
        reason: One sentence that a person understands.

    Raises:
        NotAssessable: always.
    """
    raise NotAssessable(reason)


@dataclass
class Recorder:
    """What the check read; set both attributes before asserting, so that a failure shows what was there."""

    file: Any = None
    """What the configuration on disk says."""
    runtime: Any = None
    """What the running system says."""

    @property
    def is_empty(self) -> bool:
        """Whether the check read nothing at all."""
        return self.file is None and self.runtime is None

    def to_observation(self) -> Observation:
        """The part of the check result that holds what was read."""
        return Observation(file=self.file, runtime=self.runtime)


def differences(expected: Mapping[str, Any], observed: Mapping[str, Any], *, source: str) -> list[str]:
    """One sentence for each expected setting that is missing or different.

    Args:
        expected: What must be there.
        observed: What was read; further settings in it are nobody's business here.
        source: Where it was read, in words: "the file", "the running kernel".
    """
    return [
        f"{name} is {observed[name]!r} in {source}, expected {value!r}"
        if name in observed
        else f"{name} is not set in {source}, expected {value!r}"
        for name, value in expected.items()
        if name not in observed or observed[name] != value
    ]


def require(problems: Iterable[str]) -> None:
    """Fail the check with all problems in one message.

    Raises:
        AssertionError: there is a problem.
    """
    listed = list(problems)
    assert not listed, "; ".join(listed)  # noqa: S101 - this is the assertion of the checks


def compare(
    control: Control,
    observation: Recorder,
    *,
    file: Mapping[str, Any] | None = None,
    runtime: Mapping[str, Any] | None = None,
    source: str = "the file",
) -> list[str]:
    """Record what was read of the expected settings, and say what is missing or different.

    ``expected.file`` and ``expected.runtime`` hold what is expected of either; ``expected.settings`` holds for both.

    Args:
        control: Whose expectation counts.
        observation: Where to record.
        file: What the configuration on disk says; None when this check reads none.
        runtime: What the running system says; None when this check reads none.
        source: What the configuration on disk is called in a message.

    Raises:
        ValueError: the control expects something that is not compared here, or nothing that is.
    """
    settings = control.expected.get("settings", {})
    parts = {"file": (file, source), "runtime": (runtime, "the running system")}
    problems = []
    compared = 0
    for name, (observed, words) in parts.items():
        expected = control.expected.get(name, settings)
        if observed is None:
            if name in control.expected:
                raise ValueError(f"expected.{name} is not compared by this check")
            continue
        setattr(observation, name, {key: observed[key] for key in expected if key in observed})
        problems += differences(expected, observed, source=words)
        compared += len(expected)
    if not compared:
        raise ValueError("the control expects nothing that this check compares")
    return problems
