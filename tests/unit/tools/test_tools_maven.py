"""A file that Maven fetches is used if it is the pinned one; Maven itself is stood in for by a script."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tools_workshop import Workshop

from palisade.errors import ConfigurationError, MachineError, PalisadeError
from palisade.tools.obtain import Finding, State, survey

CONTENT = "what the publisher released"
TOOL = f"""\
purpose: Is fetched.
needed_by: [the tests]
maven:
  artifact: org.example:fetched:1.2.3:tar.gz:all
  sha256: {hashlib.sha256(CONTENT.encode()).hexdigest()}
  programs: [fetched.tar.gz]
  usual_seconds: 1
"""
COPY = """\
for argument in "$@"; do case "$argument" in -DoutputDirectory=*) place="${argument#*=}";; esac; done
echo "$@" >> "$0.calls"
printf '%s' 'CONTENT' > "$place/fetched-1.2.3-all.tar.gz"
"""


@pytest.fixture
def folder(workshop: Workshop) -> Path:
    """The folder of the tool."""
    path = workshop.root / "tools/fetched"
    path.mkdir()
    (path / "tool.yaml").write_text(TOOL, encoding="utf-8")
    return path


def found(workshop: Workshop) -> Finding:
    catalogue = workshop.catalogue
    return survey(catalogue, [catalogue.programs["fetched.tar.gz"]], None)[0]


def test_the_file_is_fetched_once_by_its_coordinates(workshop: Workshop, folder: Path) -> None:
    del folder
    maven = workshop.put_on_path("mvn", COPY.replace("CONTENT", CONTENT))
    assert found(workshop).state == State.TO_FETCH
    for _ in range(2):
        path = workshop.ensure("fetched")["fetched.tar.gz"]
        assert path.read_text(encoding="utf-8") == CONTENT
    assert (found(workshop).state, found(workshop).version) == (State.FETCHED, "1.2.3")
    (call,) = maven.with_name("mvn.calls").read_text(encoding="utf-8").splitlines()
    assert "-Dartifact=org.example:fetched:1.2.3:tar.gz:all" in call


def test_another_file_is_refused_and_nothing_stays(workshop: Workshop, folder: Path) -> None:
    del folder
    workshop.put_on_path("mvn", COPY.replace("CONTENT", "something else"))
    with pytest.raises(ConfigurationError, match=r"What Maven fetched as org\.example:fetched:1\.2\.3") as refused:
        workshop.ensure("fetched")
    assert refused.value.where == "tools/fetched/tool.yaml: tool.maven.sha256"
    assert found(workshop).state == State.TO_FETCH
    assert workshop.unfinished() == []


def test_a_failure_shows_what_maven_said(workshop: Workshop, folder: Path) -> None:
    del folder
    workshop.put_on_path("mvn", "echo 'Could not find artifact'; exit 1")
    with pytest.raises(PalisadeError, match="Could not find artifact"):
        workshop.ensure("fetched")


def test_without_maven_it_is_said_before_anything_is_built(
    workshop: Workshop, folder: Path, go_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del folder
    monkeypatch.setenv("PATH", str(go_directory))
    with pytest.raises(MachineError, match="there is no mvn on PATH") as refused:
        workshop.ensure("demo", "fetched")
    assert "install --yes --no-install-recommends maven" in str(refused.value.remedy)
    assert workshop.built() == []


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        (":1.2.3:tar.gz:all", ":LATEST:tar.gz:all", "tool.maven.artifact (line 4)"),
        ("sha256: ", "sha256: x", "tool.maven.sha256 (line 5)"),
        ("[fetched.tar.gz]", "[a, b]", "tool.maven.programs"),
    ],
)
def test_a_bad_definition_is_refused(workshop: Workshop, folder: Path, before: str, after: str, where: str) -> None:
    (folder / "tool.yaml").write_text(TOOL.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        _ = workshop.catalogue
    assert where in str(refused.value)
