"""Where the fleet object of an environment comes from, and what is said when it is nowhere.

The ``pulumi`` here is a stand-in that answers with the words of the real one (3.250); reading a real stack is tested
where stacks are built.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from configuration_samples import SOUND, WriteProject, changed
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.config import fleet_of, parse_configuration
from palisade.errors import ExitCode, PalisadeError
from palisade.fleet import Fleet, load_fleet
from palisade.fleet_source import declared_fleet, find_fleet
from palisade.project import Project, fleet_state_directory
from palisade.registry.model import apis_file

FakePulumi = Callable[..., Path]
API = {
    "name": "finance",
    "version": "1.0.0",
    "state": "ENABLED",
    "owner": "finance",
    "git_commit": "a" * 40,
    "upstream": {"host": "finance.example", "port": 8443},
    "operations": [{"method": "GET", "path": "/v1/accounts", "roles": ["analyst"]}],
}


def fleet(environment: str = "dev", user: str = "palisade") -> Fleet:
    document = changed(("hosts.0.ssh_user", user))
    return fleet_of(parse_configuration(document, environment=environment, file="f"))


def saved(path: Path, document: Fleet | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else document.to_json())
    return path


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("PALISADE_FLEET_FILE", raising=False)


@pytest.fixture
def pulumi(tmp_path: Path) -> FakePulumi:
    """Puts a ``pulumi`` on PATH that says this and writes down how it was called."""

    def install(*, stdout: str = "", stderr: str = "", code: int = 0) -> Path:
        calls = tmp_path / "calls"
        said = tmp_path / "stdout"
        said.write_text(stdout)
        complaint = tmp_path / "stderr"
        complaint.write_text(stderr)
        program = tmp_path / "bin" / "pulumi"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n/bin/cat {said}\n/bin/cat {complaint} >&2\nexit {code}\n')
        program.chmod(0o755)
        return calls

    return install


@pytest.fixture
def project(write_project: WriteProject) -> Project:
    return write_project(SOUND)


def refusal(project: Project, environment: str = "dev", file: Path | None = None) -> PalisadeError:
    with pytest.raises(PalisadeError) as refused:
        find_fleet(project, environment, file)
    return refused.value


def test_the_first_place_that_has_it_wins(
    project: Project, tmp_path: Path, pulumi: FakePulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi(stdout=fleet(user="stack").to_json())
    assert find_fleet(project, "dev") == fleet(user="stack")
    saved(fleet_state_directory("dev") / "fleet.json", fleet(user="state"))
    assert find_fleet(project, "dev") == fleet(user="state")
    monkeypatch.setenv("PALISADE_FLEET_FILE", str(saved(tmp_path / "variable.json", fleet(user="variable"))))
    assert find_fleet(project, "dev") == fleet(user="variable")
    named = saved(tmp_path / "named.json", fleet(user="named"))
    assert find_fleet(project, "dev", named) == fleet(user="named")


def test_a_stack_is_read_and_never_created(project: Project, pulumi: FakePulumi) -> None:
    calls = pulumi(stdout=fleet().to_json())
    find_fleet(project, "dev")
    (call,) = calls.read_text().splitlines()
    assert call == f"stack output fleet --json --non-interactive --color never --stack dev --cwd {project.root}"


@pytest.mark.parametrize(
    ("stderr", "problem", "remedy"),
    [
        (
            "error: no stack named 'dev' found",
            "The environment dev has no stack yet.",
            "make it: palisade stack init dev, then palisade stack up dev",
        ),
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            "pulumi is not logged in",
            "pulumi login",
        ),
        (
            "error: get stack secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or "
            "PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
            "pulumi needs the passphrase of the stack dev.",
            "PULUMI_CONFIG_PASSPHRASE_FILE",
        ),
        (
            "error: current stack does not have output property 'fleet'",
            "The stack dev has no fleet output.",
            "palisade stack up dev",
        ),
        ("error: disk on fire", "pulumi failed: error: disk on fire", ""),
        ("", "pulumi failed: it did not say why", ""),
    ],
)
def test_what_pulumi_cannot_do_is_explained(
    stderr: str, problem: str, remedy: str, project: Project, pulumi: FakePulumi
) -> None:
    pulumi(stderr=stderr, code=255)
    error = refusal(project)
    assert problem in error.problem
    assert remedy in (error.remedy or "")
    assert error.where == "pulumi stack output fleet --json --stack dev"
    assert error.exit_code is ExitCode.EXTERNAL


@pytest.mark.parametrize(
    ("stdout", "problem"),
    [
        (json.dumps({"version": 0, "hosts": []}), "The fleet object has version 0."),
        (json.dumps(["fleet"]), "The fleet object has version None."),
        ("Updating (dev)...", "The fleet object is not JSON"),
        (json.dumps({"version": 3, "environment": "dev", "hosts": []}), "at least 1 item"),
    ],
)
def test_an_output_that_is_no_fleet_of_this_version_is_refused(
    stdout: str, problem: str, project: Project, pulumi: FakePulumi
) -> None:
    pulumi(stdout=stdout)
    assert problem in refusal(project).problem


@pytest.mark.parametrize("said", ["no stack named 'dev' found", "current stack does not have output property 'fleet'"])
def test_before_there_is_a_stack_the_way_to_begin_is_said(said: str, project: Project, pulumi: FakePulumi) -> None:
    pulumi(stderr=f"error: {said}", code=255)
    remedy = refusal(project).remedy or ""
    assert remedy.endswith(
        "before that, palisade inventory dev --save fleet.json writes what it will export (docs/real-environment.md)"
    )


def test_the_fleet_of_the_configuration_is_saved_without_a_stack_and_is_an_inventory(
    project: Project, tmp_path: Path, pulumi: FakePulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pulumi(stderr="error: no stack named 'dev' found", code=255)
    monkeypatch.setenv("PALISADE_PROJECT", str(project.root))
    monkeypatch.chdir(tmp_path)
    save = ["inventory", "dev", "--save", "fleet.json"]
    saying = CliRunner().invoke(application, [*save, "--output", "text"], catch_exceptions=False)
    assert saying.stdout == f"To use it: export PALISADE_FLEET_FILE={tmp_path}/fleet.json\n"
    assert json.loads(CliRunner().invoke(application, save).stdout)["fleet"] == str(tmp_path / "fleet.json")
    assert load_fleet(tmp_path / "fleet.json") == fleet()
    monkeypatch.setenv("PALISADE_FLEET_FILE", str(tmp_path / "fleet.json"))
    assert find_fleet(project, "dev") == fleet()
    assert not calls.exists(), "a stack was asked"


def test_the_saved_fleet_has_the_ports_of_registered_apis_as_the_stack_would_export_them(project: Project) -> None:
    networks = yaml.safe_load(project.environment_file("dev").read_text())
    networks["config"]["palisade:fleet"]["networks"]["upstreams"] = ["10.50.0.0/24"]
    project.environment_file("dev").write_text(yaml.safe_dump(networks))
    assert declared_fleet(project, "dev").upstreams is None
    saved(apis_file("dev"), json.dumps({"apis": [API]}))
    upstreams = declared_fleet(project, "dev").upstreams
    assert upstreams is not None
    assert upstreams.ports == (8443,)


@pytest.mark.parametrize("more", [["--host", "db-1"], ["--fleet", "other.json"]])
def test_what_is_saved_is_the_configuration_and_nothing_else(
    more: list[str], project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALISADE_PROJECT", str(project.root))
    refused = CliRunner().invoke(application, ["inventory", "dev", "--save", str(tmp_path / "fleet.json"), *more])
    assert isinstance(refused.exception, PalisadeError)
    assert refused.exception.exit_code is ExitCode.USAGE
    assert not (tmp_path / "fleet.json").exists()


def test_a_local_fleet_is_saved_by_who_starts_it(write_project: WriteProject) -> None:
    project = write_project(changed(("local", {})), environment="laptop")
    with pytest.raises(PalisadeError) as refused:
        declared_fleet(project, "laptop")
    assert refused.value.remedy == "palisade local up --environment laptop"


def test_a_file_that_cannot_be_written_is_named(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALISADE_PROJECT", str(project.root))
    path = tmp_path / "gone" / "fleet.json"
    error = CliRunner().invoke(application, ["inventory", "dev", "--save", str(path)]).exception
    assert isinstance(error, PalisadeError)
    assert (error.exit_code, error.where) == (ExitCode.MACHINE, str(path))


def test_without_pulumi_it_says_how_to_get_it(checkout: Project) -> None:
    error = refusal(checkout)
    assert error.exit_code is ExitCode.MACHINE
    assert "palisade tools pulumi" in (error.remedy or "")


def test_a_pulumi_that_cannot_be_started_is_named(project: Project, pulumi: FakePulumi, tmp_path: Path) -> None:
    pulumi()
    program = tmp_path / "bin" / "pulumi"
    program.write_text("#!/no/such/interpreter\n")
    error = refusal(project)
    assert error.exit_code is ExitCode.MACHINE
    assert error.where == str(program)


def test_a_local_fleet_that_is_not_up_says_how_to_start_it(write_project: WriteProject, pulumi: FakePulumi) -> None:
    calls = pulumi()
    error = refusal(write_project(changed(("local", {})), environment="laptop"), "laptop")
    assert error.remedy == "palisade local up --environment laptop"
    assert not calls.exists()


def test_the_fleet_of_another_environment_is_refused(project: Project, tmp_path: Path) -> None:
    error = refusal(project, file=saved(tmp_path / "fleet.json", fleet("prod")))
    assert error.problem == "The fleet object is of the environment prod."
    assert error.allowed == "dev"


def test_a_missing_file_is_named(project: Project, tmp_path: Path) -> None:
    assert refusal(project, file=tmp_path / "gone.json").where == str(tmp_path / "gone.json")


def test_the_command_prints_hosts_for_people_and_for_ansible(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALISADE_PROJECT", str(project.root))
    arguments = ["inventory", "dev", "--fleet", str(saved(tmp_path / "fleet.json", fleet()))]
    run = CliRunner().invoke
    assert json.loads(run(application, arguments).stdout) == json.loads(run(application, [*arguments, "--list"]).stdout)
    assert json.loads(run(application, [*arguments, "--host", "db-1"]).stdout)["palisade_address"] == "10.20.0.51"
    assert (
        "registry-1  registry  10.20.0.21  palisade, port 22"
        in run(application, [*arguments, "--output", "text"]).stdout
    )
    error = run(application, [*arguments, "--host", "db-9"]).exception
    assert isinstance(error, PalisadeError)
    assert error.allowed == "bastion-1, db-1, registry-1"
