"""A first update is refused at once where Vault would sign nothing; a later one goes on (real Vaults: tests/vault)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stack_samples import local_stack
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.commands import stack as commands
from palisade.config import FleetConfiguration, parse_configuration
from palisade.errors import PalisadeError
from palisade.fleet import HostGroup
from palisade.stack.command import Pulumi
from palisade.stack.signer import CERTIFICATE, refuse_without_signer
from palisade.stack.surroundings import surroundings
from palisade.vault import signer
from palisade.yaml_file import read_yaml
from tests.pins import pins

ROOT = Path(__file__).resolve().parents[3]
PROBLEM = PalisadeError("Vault is elsewhere.")


def configuration_of(environment: str, **changes: Any) -> FleetConfiguration:
    fleet = read_yaml(ROOT / f"Pulumi.{environment}.yaml").value["config"]["palisade:fleet"]
    fleet = {**fleet, "images": pins(environment, fleet), **changes}
    return parse_configuration(fleet, environment=environment, file="a test")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which environments' Vaults were asked; none of them would sign."""
    environments = list[str]()

    def refuses(configuration: FleetConfiguration) -> PalisadeError:
        environments.append(configuration.environment)
        return PROBLEM

    monkeypatch.setattr(signer, "signer_problem", refuses)
    return environments


def pulumi_with(tmp_path: Path, *resources: dict[str, Any]) -> Pulumi:
    root = tmp_path / "project"
    root.mkdir()
    stack = local_stack(root)
    said = root / "state.json"
    said.write_text(json.dumps({"deployment": {"resources": resources}}))
    program = root / "pulumi"
    program.write_text(f"#!/bin/sh\ncat '{said}'\n")
    program.chmod(0o755)
    return Pulumi(program, stack, surroundings(stack))


@pytest.mark.parametrize("resources", [(), ({"type": CERTIFICATE, "initErrors": ["it was not ready in 180 s"]},)])
@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_first_certificate_is_not_waited_for_in_vain(
    environment: str, resources: tuple[dict[str, Any], ...], tmp_path: Path, asked: list[str]
) -> None:
    with pytest.raises(PalisadeError) as refused:
        refuse_without_signer(pulumi_with(tmp_path, *resources), configuration_of(environment))
    assert refused.value is PROBLEM
    assert asked == [environment]


def test_vault_may_be_away_once_the_certificate_is_there(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    refuse_without_signer(pulumi_with(tmp_path, {"type": CERTIFICATE}), configuration_of("prod"))
    assert asked == ["prod"]
    assert capsys.readouterr().err == "Going on, because the certificate is there: Vault is elsewhere.\n"


def test_a_vault_that_signs_leaves_the_state_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer, "signer_problem", lambda _: None)
    pulumi = pulumi_with(tmp_path)
    pulumi.program.unlink()
    refuse_without_signer(pulumi, configuration_of("dev"))


@pytest.mark.parametrize(
    ("environment", "changes"), [("prod", {"edge": None}), ("prod", {"cluster": None}), ("local", {})]
)
def test_who_asks_for_no_certificate_needs_no_vault(
    environment: str, changes: dict[str, Any], tmp_path: Path, asked: list[str]
) -> None:
    refuse_without_signer(pulumi_with(tmp_path), configuration_of(environment, **changes))
    assert asked == []


def test_an_environment_without_a_vault_has_no_certificate_to_wait_for(tmp_path: Path, asked: list[str]) -> None:
    hosts = [
        {"name": host.name, "group": str(host.group), "address": str(host.address)}
        for host in configuration_of("prod").hosts
        if host.group is not HostGroup.VAULT
    ]
    refuse_without_signer(pulumi_with(tmp_path), configuration_of("prod", hosts=hosts))
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["up", "dev", "--yes"], []),
        (["up", "dev", "--recover"], []),
        (["up", "dev", "--preview-only"], ["performed"]),
        (["preview", "dev"], ["performed"]),
        (["destroy", "dev"], ["performed"]),
    ],
)
@pytest.mark.usefixtures("asked")
def test_only_an_update_is_refused_and_before_anything_is_changed(
    arguments: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = list[str]()
    pulumi = pulumi_with(tmp_path)
    monkeypatch.setenv("PALISADE_PROJECT", str(ROOT))
    monkeypatch.setattr(commands, "to_change", lambda _: pulumi)
    monkeypatch.setattr(commands, "recover_stack", lambda *_, **__: changed.append("recovered"))
    monkeypatch.setattr(commands, "perform", lambda *_, **__: changed.append("performed"))
    told = CliRunner().invoke(application, ["stack", *arguments])
    assert (told.exception is PROBLEM, changed) == (not expected, expected)
