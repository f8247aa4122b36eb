"""The definitions of the project's tools, and the definitions that are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.version import Version
from tools_workshop import Workshop

from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.project import Project
from palisade.tools.catalogue import Program, load_catalogue
from palisade.tools.toolchain import needed_go

PROJECT = Project(Path(__file__).parents[3])
BUILT = [program for program in load_catalogue(PROJECT).programs.values() if program.tool.go]


@pytest.mark.parametrize("program", BUILT, ids=lambda program: program.name)
def test_go_mod_pins_exactly_the_version_of_the_definition(program: Program) -> None:
    go_mod = (program.folder / "go.mod").read_text(encoding="utf-8")
    module = program.module
    pinned = re.findall(rf"^(?:require)?\s*{re.escape(module.module)} (\S+)", go_mod, flags=re.MULTILINE)
    assert pinned == [module.version]
    assert f"\n{module.module} {module.version} h1:" in f"\n{(program.folder / 'go.sum').read_text(encoding='utf-8')}"


@pytest.mark.parametrize("program", BUILT, ids=lambda program: program.name)
def test_the_pinned_version_is_one_that_would_be_accepted(program: Program) -> None:
    question = program.tool.version_question
    assert question is None or question.accepts(program.module.release)


@pytest.mark.parametrize("program", BUILT, ids=lambda program: program.name)
def test_the_module_is_named_after_its_folder_and_its_packages_belong_to_what_it_pins(program: Program) -> None:
    go_mod = (program.folder / "go.mod").read_text(encoding="utf-8")
    # A main.go that needs internal packages of what it pins is named below it, as its publisher's own commands are.
    names = (f"palisade.example/tools/{program.folder.name}", f"{program.module.module}/palisade")
    assert go_mod.startswith(tuple(f"module {name}\n" for name in names))
    package = program.module.programs[program.name]
    assert package.startswith(program.module.module) or (package == "." and (program.folder / "main.go").is_file())
    assert needed_go(program) > Version("1.0")


def test_linker_variables_carry_the_version_and_its_parts() -> None:
    flags = load_catalogue(PROJECT).programs["kubelet"].module.linker_flags
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X k8s.io/component-base/version.gitMinor=36" in flags


@pytest.mark.parametrize(
    ("before", "after", "where", "problem"),
    [
        ("version: v1.2.3", "version: 1.2.3", "tool.go.version (line 9)", "'1.2.3' is not allowed."),
        ("version: v1.2.3", "version: latest", "tool.go.version (line 9)", "'latest' is not allowed."),
        ('">=1.2,<2"', '"1.2 or so"', "tool.version_question.accepted (line 6)", "'1.2 or so' is not allowed."),
        ('">=1.2,<2"', '""', "tool.version_question.accepted (line 6)", "'' is not allowed."),
        (r"'demo (\S+)'", "'demo'", "tool.version_question.pattern (line 5)", "'demo' is not allowed."),
        (r"'demo (\S+)'", "'demo ('", "tool.version_question.pattern (line 5)", "'demo (' is not allowed."),
        ("seconds: 2", "seconds: 0", "tool.go.usual_build_seconds (line 12)", "0 is not allowed."),
        ("seconds: 2", "seconds: 2\n  beside: [../x]", "tool.go.beside.0 (line 13)", "'../x' is not allowed."),
        ("purpose: Shows that the mechanism works.", "purpose: ''", "tool.purpose (line 1)", "'' is not allowed."),
        ("needed_by:", "required_by:", "tool.needed_by (line 1)", "This key is missing."),
        (
            "go:\n",
            "debian: {packages: [x], programs: [y]}\ngo:\n",
            "tool (line 1)",
            "Exactly one of go, debian, python, maven and own is needed.",
        ),
        (
            "purpose:",
            "released_with: other\npurpose:",
            "tool (line 1)",
            "Exactly one of version_question and released_with is needed.",
        ),
    ],
)
def test_refused_definitions(workshop: Workshop, before: str, after: str, where: str, problem: str) -> None:
    path = workshop.folder / "tool.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load_catalogue(workshop.project)
    assert str(raised.value.where).startswith("tools/demo/tool.yaml")
    assert where in str(raised.value)
    assert problem in str(raised.value)


def test_a_tool_without_go_mod_is_refused(workshop: Workshop) -> None:
    (workshop.folder / "go.mod").unlink()
    with pytest.raises(ConfigurationError, match=r"demo is built from a Go module, and no go\.mod pins it") as raised:
        load_catalogue(workshop.project)
    assert raised.value.where == "tools/demo/go.mod"


def test_two_tools_with_the_same_program_are_refused(workshop: Workshop) -> None:
    other = workshop.root / "tools" / "other"
    other.mkdir()
    for file in ("tool.yaml", "go.mod"):
        (other / file).write_bytes((workshop.folder / file).read_bytes())
    with pytest.raises(ConfigurationError, match="The program demo belongs to demo and to other"):
        load_catalogue(workshop.project)


def test_an_unknown_companion_is_refused(workshop: Workshop) -> None:
    path = workshop.folder / "tool.yaml"
    text = path.read_text(encoding="utf-8")
    question = text[text.index("version_question:") : text.index("go:\n")]
    path.write_text(text.replace(question, "released_with: nobody\n"), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="demo is released with nobody, which is not a program") as raised:
        load_catalogue(workshop.project)
    assert raised.value.where == "tools/demo/tool.yaml: tool.released_with"


def test_a_project_without_tools_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="The project has no tools"):
        load_catalogue(Project(tmp_path))


def test_a_project_inside_another_uses_its_tools(workshop: Workshop) -> None:
    scenario = workshop.root / "molecule" / "scenario"
    scenario.mkdir(parents=True)
    assert list(load_catalogue(Project(scenario)).programs) == ["demo"]


def test_a_tool_stands_for_all_its_programs_and_each_is_selected_once() -> None:
    selected = load_catalogue(PROJECT).select(["kubelet", "kubernetes", "opa"])
    names = ["kubelet", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "opa"]
    assert [program.name for program in selected] == names


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(PalisadeError, match="There is no tool or program called kubelt") as raised:
        load_catalogue(PROJECT).select(["kubelt"])
    assert raised.value.exit_code is ExitCode.USAGE
    assert raised.value.remedy == "did you mean kubelet?"
