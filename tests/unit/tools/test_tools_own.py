"""A program of the project stands in for an official plugin of Pulumi, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest
from tools_workshop import Workshop

from palisade.tools.obtain import Finding, State, survey

NAME = "pulumi-resource-demo"
TOOL = f"""\
purpose: Stands in.
needed_by: [the tests]
own:
  programs: [{NAME}]
  plugin: resource-demo
"""


@pytest.fixture
def own(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own program."""
    monkeypatch.setenv("PULUMI_HOME", str(workshop.root / "home"))
    program = workshop.root / "tools" / NAME / NAME
    program.parent.mkdir()
    (program.parent / "tool.yaml").write_text(TOOL, encoding="utf-8")
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def found(workshop: Workshop) -> Finding:
    catalogue = workshop.catalogue
    return survey(catalogue, [catalogue.programs[NAME]], None)[0]


def install_plugin(workshop: Workshop, version: str) -> Path:
    plugin = workshop.root / f"home/plugins/resource-demo-v{version}" / NAME
    plugin.parent.mkdir(parents=True)
    plugin.touch()
    return plugin


def test_the_own_program_is_used_where_nothing_else_is(workshop: Workshop, own: Path) -> None:
    assert (found(workshop).state, found(workshop).path) == (State.OWN, own)
    assert workshop.ensure(NAME) == {NAME: own}


def test_the_newest_installed_plugin_is_used(workshop: Workshop, own: Path) -> None:
    del own
    newest = [install_plugin(workshop, version) for version in ("4.9.0", "4.34.2", "4.10.1")][1]
    install_plugin(workshop, "broken")
    assert (found(workshop).state, found(workshop).path, found(workshop).version) == (State.PLUGIN, newest, "4.34.2")


def test_a_program_on_path_is_used_unless_it_is_the_own_one(
    workshop: Workshop, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(workshop, "4.34.2")
    monkeypatch.setenv("PATH", str(own.parent), prepend=":")
    assert found(workshop).state == State.PLUGIN
    on_path = workshop.put_on_path(NAME, "true")
    monkeypatch.setenv("PATH", str(on_path.parent), prepend=":")
    assert (found(workshop).state, found(workshop).path) == (State.ON_PATH, on_path)
