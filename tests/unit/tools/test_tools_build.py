"""Building for real: what is built, when it is built again, and what a failure says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tools_workshop import GO_MOD, MAIN, Workshop

from palisade.errors import ConfigurationError, ExitCode, MachineError, PalisadeError
from palisade.project import Project
from palisade.tools import environment, require_toolchain, toolchain


def run(path: Path) -> str:
    return subprocess.run([str(path)], capture_output=True, text=True, check=True).stderr.strip()


def test_builds_the_pinned_version_once(workshop: Workshop, capfd: pytest.CaptureFixture[str]) -> None:
    first = workshop.ensure("demo")["demo"]
    assert run(first) == "demo v1.2.3"
    (log,) = (workshop.cache / "palisade" / "tools" / "logs").iterdir()
    assert f"building demo v1.2.3, log: {log}\n" in capfd.readouterr().err
    modified = first.stat().st_mtime_ns
    assert workshop.ensure("demo") == {"demo": first}
    assert first.stat().st_mtime_ns == modified
    assert "built before" in capfd.readouterr().err
    assert workshop.unfinished() == []


def test_a_refused_program_on_path_is_named_and_the_built_one_comes_before_it(
    workshop: Workshop, capfd: pytest.CaptureFixture[str]
) -> None:
    old = workshop.put_on_path("demo", "echo demo v1.0.0")
    paths = workshop.ensure("demo")
    assert f"{old} is version 1.0.0, not >=1.2,<2, so it is not used\n" in capfd.readouterr().err
    assert shutil.which("demo", path=environment(paths)) == str(paths["demo"])


def test_the_path_stays_as_it_is_where_it_already_finds_the_program(workshop: Workshop) -> None:
    workshop.put_on_path("demo", "echo demo v1.9.0")
    assert environment(workshop.ensure("demo")) == os.environ["PATH"]


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("go.mod", "go 1.20", "go 1.21"),
        ("go.sum", "", "\n"),
        ("main.go", "demo", "a demo"),
        ("tool.yaml", "version: v1.2.3", "version: v1.2.4"),
        ("tool.yaml", 'main.version: "{version}"', 'main.version: "{version}", main.other: x'),
    ],
)
def test_a_change_that_matters_builds_again(workshop: Workshop, file: str, before: str, after: str) -> None:
    first = workshop.ensure("demo")["demo"]
    path = workshop.folder / file
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    second = workshop.ensure("demo")["demo"]
    assert second != first
    assert [entry / "demo" for entry in workshop.built()] == sorted([first, second])


def test_a_change_of_words_builds_nothing(workshop: Workshop) -> None:
    first = workshop.ensure("demo")["demo"]
    path = workshop.folder / "tool.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("the tests", "other tests"), encoding="utf-8")
    assert workshop.ensure("demo")["demo"] == first


def test_scripts_of_the_module_are_installed_beside_the_program(workshop: Workshop) -> None:
    (workshop.folder / "scripts").mkdir()
    (workshop.folder / "scripts" / "demo-exec").write_text("#!/bin/sh\necho script\n", encoding="utf-8")
    path = workshop.folder / "tool.yaml"
    text = path.read_text(encoding="utf-8").replace("example.org/demo", "palisade.example/tools/demo")
    path.write_text(text + "  beside: [scripts/demo-exec]\n", encoding="utf-8")
    program = workshop.ensure("demo")["demo"]
    assert subprocess.check_output([str(program.with_name("demo-exec"))], text=True) == "script\n"


def test_a_script_that_is_not_in_the_module_is_refused(workshop: Workshop) -> None:
    path = workshop.folder / "tool.yaml"
    text = path.read_text(encoding="utf-8").replace("example.org/demo", "palisade.example/tools/demo")
    path.write_text(text + "  beside: [scripts/demo-exec]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="demo-exec is not in the module") as raised:
        workshop.ensure("demo")
    assert raised.value.where == "tools/demo/tool.yaml: tool.go.beside"
    assert workshop.built() == []


def test_a_broken_source_names_program_log_last_lines_and_remedy(workshop: Workshop) -> None:
    (workshop.folder / "main.go").write_text(MAIN.replace("println", "printline"), encoding="utf-8")
    with pytest.raises(PalisadeError) as raised:
        workshop.ensure("demo")
    error = raised.value
    assert error.exit_code is ExitCode.EXTERNAL
    assert error.problem.startswith("demo v1.2.3 could not be built.")
    assert "undefined: printline" in error.problem
    log = Path(str(error.where))
    assert log.is_relative_to(workshop.cache)
    assert "undefined: printline" in log.read_text(encoding="utf-8")
    assert error.remedy == (
        "read the log and correct tools/demo/; then run `palisade tools demo`, which goes on where it stopped. "
        "Or put demo >=1.2,<2 on PATH"
    )
    assert workshop.built() == []


def test_a_module_that_is_not_pinned_is_not_fetched(workshop: Workshop) -> None:
    (workshop.folder / "main.go").write_text(
        'package main\n\nimport "example.org/unpinned"\n\nfunc main() { unpinned.Run() }\n', encoding="utf-8"
    )
    with pytest.raises(PalisadeError, match=r"cannot find module providing package example.org/unpinned") as raised:
        workshop.ensure("demo")
    assert str(raised.value.remedy).startswith("restore tools/demo/go.mod and go.sum from git")
    assert (workshop.folder / "go.mod").read_text(encoding="utf-8") == GO_MOD


@pytest.mark.parametrize(
    ("main", "found"),
    [
        (MAIN.replace("version)", '"v1.2.4")'), "it says it is version 1.2.4"),
        (MAIN.replace("println", "panic").replace('"demo", ', ""), "it fails when asked for its version (exit code 2)"),
    ],
)
def test_a_result_that_is_not_the_pinned_version_is_not_installed(workshop: Workshop, main: str, found: str) -> None:
    (workshop.folder / "main.go").write_text(main, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        workshop.ensure("demo")
    assert raised.value.problem == f"demo was built from v1.2.3, but {found}."
    assert workshop.built() == []


def test_the_users_flags_for_go_count_but_not_against_the_pins(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workshop.folder / "extra.go").write_text(
        '//go:build extra\n\npackage main\n\nfunc init() { println("extra") }\n', encoding="utf-8"
    )
    monkeypatch.setenv("GOFLAGS", "-tags=extra -mod=vendor -buildvcs=true")
    monkeypatch.setenv("GOOS", "windows")
    monkeypatch.setenv("GOWORK", str(workshop.root / "go.work"))
    assert run(workshop.ensure("demo")["demo"]) == "extra\ndemo v1.2.3"


def test_go_in_its_usual_place_needs_no_path(
    workshop: Workshop, go_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "USUAL_PLACE", str(go_directory))
    monkeypatch.setenv("PATH", str(workshop.bin))
    found = toolchain.find_go()
    assert found is not None
    assert found.executable == go_directory / "go"


def test_no_go_at_all(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "USUAL_PLACE", str(workshop.root))
    monkeypatch.setenv("PATH", str(workshop.bin))
    with pytest.raises(MachineError, match="there is no Go on PATH to build it"):
        require_toolchain(Project(workshop.root), ["demo"])
    with pytest.raises(MachineError) as raised:
        workshop.ensure("demo")
    assert raised.value.lines() == [
        ("error", "demo is not on PATH at an accepted version, and there is no Go on PATH to build it."),
        ("where", "tools/demo/go.mod"),
        ("allowed", "Go 1.20 or newer"),
        (
            "what to do",
            "install Go 1.20 or newer (https://go.dev/dl) and put its bin directory on PATH, or put demo >=1.2,<2 on "
            "PATH; then run the same command again",
        ),
    ]


def test_no_go_is_needed_where_the_program_is_on_path(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workshop.put_on_path("demo", "echo demo v1.2.0")
    monkeypatch.setenv("PATH", str(workshop.bin))
    assert workshop.ensure("demo") == {"demo": path}


def test_a_go_that_is_too_old_is_not_started(workshop: Workshop) -> None:
    (workshop.folder / "go.mod").write_text(GO_MOD.replace("1.20", "1.99.1"), encoding="utf-8")
    with pytest.raises(MachineError, match=r"Go 1\.\d+(\.\d+)? is too old to build demo") as raised:
        workshop.ensure("demo")
    assert raised.value.allowed == "Go 1.99.1 or newer"
    assert not workshop.cache.exists()


def test_a_go_that_does_not_work(workshop: Workshop) -> None:
    go = workshop.put_on_path("go", "echo broken >&2; exit 1")
    with pytest.raises(MachineError, match="The Go toolchain does not work: broken") as raised:
        workshop.ensure("demo")
    assert raised.value.where == str(go)


def test_a_cache_that_cannot_be_written(workshop: Workshop) -> None:
    workshop.cache.write_text("a file where a directory is needed", encoding="utf-8")
    with pytest.raises(MachineError, match="The cache of programs cannot be used: Not a directory") as raised:
        workshop.ensure("demo")
    assert "XDG_CACHE_HOME" in str(raised.value.remedy)
