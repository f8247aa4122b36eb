"""What a configuration says about the stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from palisade.config import parse_configuration
from palisade.errors import ConfigurationError
from palisade.project import Project, fleet_state_directory
from palisade.stack.model import Stack, find_stack, local_state_directory, stack_of

PROJECT = Project(Path(__file__).resolve().parents[3])


def stack_with(environment: str = "local", **changes: Any) -> Stack:
    text = PROJECT.environment_file(environment).read_text(encoding="utf-8")
    fleet = yaml.safe_load(text)["config"]["palisade:fleet"]
    fleet["state"] = {**fleet.get("state", {}), **changes}
    return stack_of(PROJECT, parse_configuration(fleet, environment=environment, file="f"))


def test_a_local_stack_has_its_state_in_files_of_the_user() -> None:
    stack = find_stack(PROJECT, "local")
    assert stack.backend == local_state_directory().as_uri()
    assert stack.files is not None
    assert stack.files.directory == local_state_directory()
    assert not stack.files.exists
    assert stack.passphrase_file == local_state_directory() / "passphrase"
    assert stack.kubeconfig == fleet_state_directory("local") / "kubeconfig"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_other_environments_name_their_state_and_what_encrypts_it(environment: str) -> None:
    stack = find_stack(PROJECT, environment)
    assert stack.backend is not None
    assert stack.backend.startswith("s3://")
    assert stack.secrets_provider.startswith("hashivault://")
    assert (stack.files, stack.passphrase_file, stack.kubeconfig) == (None, None, None)


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("file:///srv/state", Path("/srv/state")),
        ("file:///srv/a%20b", Path("/srv/a b")),
        ("file://~/state", Path.home() / "state"),
        ("file://./state", PROJECT.root / "state"),
    ],
)
def test_a_state_in_files_is_found(url: str, directory: Path) -> None:
    stack = stack_with("dev", backend=url)
    assert stack.files is not None
    assert stack.files.directory == directory
    assert stack.passphrase_file is None, "only local fleets get a passphrase from Palisade"


def test_a_local_fleet_with_another_secrets_provider_gets_no_passphrase() -> None:
    assert stack_with(secrets_provider="hashivault://key").passphrase_file is None


def test_a_project_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("runtime: python\n")
    (tmp_path / "Pulumi.local.yaml").write_bytes(PROJECT.environment_file("local").read_bytes())
    with pytest.raises(ConfigurationError, match="The project has no name"):
        find_stack(Project(tmp_path), "local")
