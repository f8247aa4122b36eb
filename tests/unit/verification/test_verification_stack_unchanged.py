"""What a proof says when Pulumi does not find the cluster as it left it, and when Pulumi cannot say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.stack.failures import ChangesError
from palisade.verification import stack_unchanged

ASKED = ("preview", "--refresh", "--expect-no-changes")


@pytest.fixture
def answer_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[PalisadeError | None], list[float]]:
    """Lets the preview end with an error or none; what is returned gets the time that it was given."""

    def prepare(error: PalisadeError | None) -> list[float]:
        given: list[float] = []

        class Preview:
            def answer(self, *arguments: str, seconds: float) -> str:
                assert arguments == ASKED
                given.append(seconds)
                if error is not None:
                    raise error
                return ""

        monkeypatch.setattr(stack_unchanged, "find_stack", lambda _project, _environment: None)
        monkeypatch.setattr(stack_unchanged, "to_change", lambda _stack: Preview())
        return given

    return prepare


def test_a_preview_of_a_large_fleet_has_minutes(answer_with: Callable[[PalisadeError | None], list[float]]) -> None:
    given = answer_with(None)
    stack_unchanged.require_unchanged(Project(Path()), "local")
    assert given == [600]


def test_only_changes_are_told_as_changes(answer_with: Callable[[PalisadeError | None], list[float]]) -> None:
    answer_with(ChangesError("1 to change"))
    with pytest.raises(PalisadeError, match=r"does not find them as it left them\.\n1 to change") as refused:
        stack_unchanged.require_unchanged(Project(Path()), "local")
    assert refused.value.remedy == "pulumi up --refresh --stack local"


def test_other_errors_are_told_as_they_are(answer_with: Callable[[PalisadeError | None], list[float]]) -> None:
    silent = PalisadeError("pulumi has not answered within 600 seconds.")
    answer_with(silent)
    with pytest.raises(PalisadeError) as refused:
        stack_unchanged.require_unchanged(Project(Path()), "local")
    assert refused.value is silent
