"""A policy bundle that Transit signs: OPA accepts it, it is the same bytes each time, and a lesser token gets none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from vault_place import ENVIRONMENT, Place

from palisade.__main__ import application
from palisade.bundle.build import KEY_FILE, bundle_of
from palisade.bundle.verify import verify
from palisade.config import load_configuration
from palisade.console import Steps
from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.registry.model import Apis
from palisade.tools.obtain import ensure, step_titles

PROJECT = Project(Path(__file__).parents[2])
OPA = "opa-envoy-plugin"


@pytest.fixture(scope="module")
def opa() -> Path:
    return ensure(PROJECT, [OPA], Steps(step_titles(PROJECT, [OPA])))[OPA]


def build(place: Place, out: Path) -> Any:
    """The answer of the command.

    Raises:
        PalisadeError: what it refuses.
    """
    command = ["bundle", "build", ENVIRONMENT, "--out", str(out), "--output", "json"]
    result = CliRunner().invoke(application, command, env=dict(place.variables))
    if isinstance(result.exception, PalisadeError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_transit_signs_what_opa_accepts(place: Place, tmp_path: Path, opa: Path) -> None:
    files = [tmp_path / name / "bundle.tar.gz" for name in ("one", "two")]
    answers = [build(place, file) for file in files]
    assert files[0].read_bytes() == files[1].read_bytes()
    wanted = bundle_of(load_configuration(place.project, ENVIRONMENT), Apis())
    assert {answer["revision"] for answer in answers} == {wanted.revision}
    assert verify(opa, files[0], files[0].with_name(KEY_FILE), wanted).problem == ""


def test_the_key_never_leaves_vault(place: Place) -> None:
    client = place.server.client()
    key = client.read("transit/keys/bundle-signing")["data"]
    assert (key["type"], key["exportable"], key["allow_plaintext_backup"]) == ("rsa-3072", False, False)


def test_a_token_that_may_not_sign(place: Place, tmp_path: Path) -> None:
    token_file = place.vault_state / "root-token"
    before = token_file.read_text(encoding="utf-8")
    place.server.client().sys.create_or_update_policy("look", 'path "auth/token/lookup-self" {capabilities=["read"]}')
    token_file.write_text(place.server.new_token("look"), encoding="utf-8")
    try:
        with pytest.raises(PalisadeError) as raised:
            build(place, tmp_path / "bundle.tar.gz")
    finally:
        token_file.write_text(before, encoding="utf-8")
    assert raised.value.problem == "The token may not do this."
    assert str(raised.value.where).startswith(f"{place.server.address}/v1/transit/sign/bundle-signing/sha2-256")
    assert not (tmp_path / "bundle.tar.gz").exists()
