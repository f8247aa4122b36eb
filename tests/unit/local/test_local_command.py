from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_samples import FLEET

from palisade.local.places import Places

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path), "PALISADE_PROJECT": str(REPOSITORY)}


def palisade_local(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "palisade", "local", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_an_environment_that_is_not_local_is_never_started_here(environment: dict[str, str], tmp_path: Path) -> None:
    refused = palisade_local(environment, "up", "--environment", "prod")
    assert refused.returncode == 3
    assert "error: prod is not a local fleet." in refused.stderr
    assert "where: Pulumi.prod.yaml: fleet.local" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "error"),
    [("prod", "error: prod is not a local fleet."), ("lcoal", "error: There is no environment lcoal.")],
)
def test_what_other_environments_keep_here_is_never_removed(
    environment: dict[str, str], tmp_path: Path, name: str, error: str
) -> None:
    bundle = tmp_path / "palisade/fleets" / name / "bundle.tar.gz"
    bundle.parent.mkdir(parents=True)
    bundle.touch()
    refused = palisade_local(environment, "down", "--environment", name, "--purge")
    assert refused.returncode == 3
    assert error in refused.stderr
    assert bundle.exists()


def test_what_other_environments_keep_here_is_no_other_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    other = Places.of("other").state
    other.mkdir(parents=True)
    assert not Places.of("test").has_neighbours
    (other / "engine").mkdir()
    assert Places.of("test").has_neighbours


def test_a_shell_in_a_fleet_that_is_down_says_how_to_start_it(environment: dict[str, str]) -> None:
    refused = palisade_local(environment, "shell", "db-1", "--environment", "test")
    assert refused.returncode == 5
    assert refused.stderr.splitlines() == [
        "error: The fleet test is not up.",
        "what to do: palisade local up --environment test",
    ]


def test_a_shell_in_an_unknown_host_names_the_known_ones(environment: dict[str, str], tmp_path: Path) -> None:
    state = tmp_path / "palisade/fleets/test"
    state.mkdir(parents=True)
    (state / "fleet.json").write_text(FLEET.to_json(), encoding="utf-8")
    refused = palisade_local(environment, "shell", "db-2", "--environment", "test")
    assert refused.returncode == 3
    assert "error: There is no host db-2." in refused.stderr
    assert "allowed: bastion-1, registry-1, db-1" in refused.stderr
