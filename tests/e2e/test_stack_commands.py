"""The commands of a stack, with the real pulumi on a real API server; each test goes on from the one before."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from stack_project import ENVIRONMENT, StackProject, stack_project

from tests.control_plane import control_plane
from tests.waiting import wait_until

UP = ("palisade", "stack", "up", ENVIRONMENT, "--yes", "--skip-preview")
NO_CHANGES = ("palisade", "stack", "preview", ENVIRONMENT, "--expect-no-changes")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProject]:
    with control_plane(controllers=True) as plane, stack_project(tmp_path_factory.mktemp("stack"), plane) as made:
        yield made


def state_of(project: StackProject) -> dict[str, Any]:
    """What ``palisade stack status`` says."""
    status: dict[str, Any] = project.json("palisade", "stack", "status", ENVIRONMENT)
    return status


def cut_off(project: StackProject) -> set[tuple[str, str]]:
    """Keep the API server's answers from pulumi, if that leaves it with objects that it does not know of."""
    project.relay.hold_answers()
    if not (unheard_of := project.in_cluster() - project.in_state()):
        project.relay.let_answers_through()
    return unheard_of


def test_a_stack_that_is_not_there_is_never_made_by_the_way(project: StackProject) -> None:
    for command in (UP, ("palisade", "stack", "status", ENVIRONMENT)):
        refused = project.run(*command)
        assert refused.returncode == 5
        assert "error: The environment local has no stack yet." in refused.stderr
        assert "what to do: make it: palisade stack init local" in refused.stderr


def test_the_plain_command_line_builds_it_from_a_clean_checkout(project: StackProject) -> None:
    configuration = (project.root / f"Pulumi.{ENVIRONMENT}.yaml").read_bytes()
    assert project.json("palisade", "stack", "init", ENVIRONMENT)["made"]
    assert (project.root / f"Pulumi.{ENVIRONMENT}.yaml").read_bytes() == configuration
    built = project.shell(
        f"pulumi up --stack {ENVIRONMENT} --yes --skip-preview",
        "kubectl get namespaces --output name",
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr
    assert "namespace/palisade-registry" in built.stdout.splitlines()


def test_afterwards_there_is_nothing_to_change(project: StackProject) -> None:
    nothing = project.run(*NO_CHANGES)
    assert nothing.returncode == 0, nothing.stdout[-3000:] + nothing.stderr
    assert not project.json("palisade", "stack", "init", ENVIRONMENT)["made"]


def test_a_registry_is_not_removed_because_its_bundle_is_missing(project: StackProject) -> None:
    exported = project.shell(f"pulumi stack export --stack {ENVIRONMENT}")
    document = json.loads(exported.stdout)
    root = next(one for one in document["deployment"]["resources"] if one["type"] == "pulumi:pulumi:Stack")
    root["outputs"]["registry"] = True  # as an update with a bundle leaves it
    (project.root / "state.json").write_text(json.dumps(document), encoding="utf-8")
    imported = project.shell(f"pulumi stack import --stack {ENVIRONMENT} --file state.json")
    assert imported.returncode == 0, imported.stderr
    before = project.in_cluster()
    for _ in range(2):  # a refusal does not make the stack forget
        refused = project.run(*UP)
        assert refused.returncode == 5
        printed = refused.stdout + refused.stderr
        assert "without the bundle this update would remove the registry" in printed
        assert f"what to do: palisade bundle build {ENVIRONMENT}" in printed
        assert "Traceback" not in printed
        assert project.in_cluster() == before
    root["outputs"]["registry"] = False
    (project.root / "state.json").write_text(json.dumps(document), encoding="utf-8")
    imported = project.shell(f"pulumi stack import --stack {ENVIRONMENT} --file state.json")
    assert imported.returncode == 0, imported.stderr


def test_what_somebody_deleted_by_hand_is_shown_and_put_back(project: StackProject) -> None:
    policy = ("NetworkPolicy", "palisade-registry/default-deny")
    assert policy in project.in_cluster()
    project.kubectl("delete", "networkpolicy", "--namespace", "palisade-registry", "default-deny")
    shown = project.shell(f"pulumi refresh --stack {ENVIRONMENT} --preview-only --diff")
    assert shown.returncode == 0, shown.stderr
    assert "- 1 to delete" in shown.stdout, shown.stdout[-2000:]
    answer = project.json(*UP, "--refresh")
    assert answer["changes"]["create"] == 1
    assert policy in project.in_cluster()


def test_destroy_leaves_an_empty_cluster(project: StackProject) -> None:
    assert project.in_cluster() == project.in_state(), "the list of kinds is whole"
    destroyed = project.run("palisade", "stack", "destroy", ENVIRONMENT, "--yes", "--skip-preview")
    assert destroyed.returncode == 0, destroyed.stdout[-3000:] + destroyed.stderr
    assert project.in_cluster() == set()
    assert state_of(project)["resources"] == 0


def test_after_kill_9_in_the_middle_status_recover_and_up_go_on(project: StackProject) -> None:
    project.json("palisade", "stack", "init", ENVIRONMENT)
    first = project.start(*UP)
    try:
        unheard_of = wait_until(lambda: cut_off(project), "pulumi has heard of every object", seconds=120)

        running = state_of(project)
        (lock,) = running["locks"]
        assert lock["holder"] == "alive"
        second = project.run(*UP)
        assert second.returncode == 5
        assert f"The stack local is being changed: process {lock['process']} of " in second.stderr
        plain = project.shell(f"pulumi up --stack {ENVIRONMENT} --yes --skip-preview")
        assert "the stack is currently locked" in plain.stderr
        refused = project.run("palisade", "stack", "recover", ENVIRONMENT)
        assert refused.returncode == 5
        assert "is being changed" in refused.stderr

        os.kill(lock["process"], signal.SIGKILL)
        assert first.wait(timeout=120) == 5
    finally:
        project.relay.let_answers_through()
        first.kill()
        first.wait()

    dead = state_of(project)
    assert [one["holder"] for one in dead["locks"]] == ["dead"]
    assert dead["pending"]
    assert dead["next"] == "palisade stack recover local"
    stopped = project.run(*UP)
    assert stopped.returncode == 5
    assert "what to do: palisade stack recover local" in stopped.stderr

    recovered = project.json("palisade", "stack", "recover", ENVIRONMENT)
    assert len(recovered["interrupted"]) == len(dead["pending"])
    assert recovered["locks_removed"]
    sound = state_of(project)
    assert (sound["locks"], sound["pending"]) == ([], [])
    assert unheard_of <= project.in_state(), "what was made and not heard of is known now"
    assert project.in_state() <= project.in_cluster()

    assert project.json(*UP)["changes"]["create"] > 0
    nothing = project.run(*NO_CHANGES)
    assert nothing.returncode == 0, nothing.stdout[-3000:]
    assert project.in_cluster() == project.in_state(), "nothing is left over"


def test_a_sound_stack_has_nothing_to_recover(project: StackProject) -> None:
    recovered = project.run("palisade", "stack", "recover", ENVIRONMENT)
    assert recovered.returncode == 0, recovered.stderr
    assert recovered.stdout == "There was nothing to recover.\n"
