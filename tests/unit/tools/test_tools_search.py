"""What is accepted on PATH, and why something is not."""

from __future__ import annotations

import pytest
from tools_workshop import Workshop

from palisade.tools import search
from palisade.tools.search import look


def test_an_accepted_version_on_path_is_used_and_nothing_is_built(workshop: Workshop) -> None:
    path = workshop.put_on_path("demo", "echo demo v1.9.0")
    assert workshop.ensure("demo") == {"demo": path}
    assert not workshop.cache.exists()


@pytest.mark.parametrize(
    ("script", "refusal"),
    [
        ("echo demo v1.1.9", "is version 1.1.9, not >=1.2,<2"),
        ("echo demo v2.0.0", "is version 2.0.0, not >=1.2,<2"),
        ("echo demo unreleased", "says no version that can be read: unreleased"),
        ("echo what", "says no version that can be read: what"),
        ("true", "says no version that can be read: nothing"),
        ("echo demo v1.9.0; exit 3", "fails when asked for its version (exit code 3)"),
        ("kill -SEGV $$", "crashes when asked for its version (signal 11)"),
        ("exec sleep 60", "does not tell its version within 0 s"),
    ],
)
def test_other_programs_of_that_name_are_refused(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, script: str, refusal: str
) -> None:
    if "sleep" in script:
        monkeypatch.setattr(search, "ANSWER_SECONDS", 0.2)
    path = workshop.put_on_path("demo", script)
    found = look(workshop.demo, workshop.catalogue)
    assert found is not None
    assert (found.path, found.refusal) == (path, refusal)


def test_a_program_that_this_machine_cannot_start_is_refused(workshop: Workshop) -> None:
    workshop.put_on_path("demo", "").write_bytes(b"\x7fELF of another machine")
    found = look(workshop.demo, workshop.catalogue)
    assert found is not None
    assert found.refusal == "cannot be started: Exec format error"


def test_nothing_of_that_name_on_path(workshop: Workshop) -> None:
    assert look(workshop.demo, workshop.catalogue) is None


@pytest.mark.parametrize(
    ("demo", "elsewhere", "refusal"),
    [
        ("echo demo v1.9.0", False, ""),
        ("echo demo v1.0.0", False, "lies beside demo, which is version 1.0.0, not >=1.2,<2"),
        ("echo demo v1.9.0", True, "does not lie beside demo, which would tell its version"),
        (None, False, "does not lie beside demo, which would tell its version"),
    ],
)
def test_a_program_without_version_counts_only_beside_its_companion(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, demo: str | None, *, elsewhere: bool, refusal: str
) -> None:
    folder = workshop.root / "tools" / "helper"
    folder.mkdir()
    definition = workshop.folder / "tool.yaml"
    text = definition.read_text(encoding="utf-8")
    question = text[text.index("version_question:") : text.index("go:\n")]
    text = text.replace(question, "released_with: demo\n").replace("{demo: .}", "{helper: .}")
    (folder / "tool.yaml").write_text(text, encoding="utf-8")
    (folder / "go.mod").write_text("module helper\n\ngo 1.20\n", encoding="utf-8")
    if demo is not None:
        workshop.put_on_path("demo", demo)
    helper = workshop.put_on_path("helper", "exit 1")
    if elsewhere:
        other = workshop.root / "other"
        other.mkdir()
        helper = helper.rename(other / "helper")
        monkeypatch.setenv("PATH", str(other), prepend=":")
    catalogue = workshop.catalogue
    found = look(catalogue.programs["helper"], catalogue)
    assert found is not None
    assert (found.path, found.refusal) == (helper, refusal)
