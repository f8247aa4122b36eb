"""``palisade bundle build`` and ``verify``, with a key file and the real OPA."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from policy_parts import ROOT, apis
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.errors import ExitCode, PalisadeError
from palisade.registry.model import apis_file

pytestmark = pytest.mark.usefixtures("opa")

ENVIRONMENT = "local"


@pytest.fixture(autouse=True)
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a fleet with some APIs, in a place of its own; tools stay where they are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PALISADE_PROJECT", str(ROOT))
    file = apis_file(ENVIRONMENT)
    file.parent.mkdir(parents=True)
    file.write_text(apis().text(), encoding="utf-8")
    return file.parent


def run(*arguments: str) -> Any:
    """The JSON answer of the command.

    Raises:
        PalisadeError: what the command refuses.
    """
    result = CliRunner().invoke(application, ["bundle", *arguments, "--output", "json"])
    if isinstance(result.exception, PalisadeError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def build(key: Path) -> Any:
    return run("build", ENVIRONMENT, "--key", str(key))


def test_the_same_input_gives_the_same_bytes_and_opa_accepts_them(fleet: Path, key: Path) -> None:
    first = build(key)
    content = (fleet / "bundle.tar.gz").read_bytes()
    assert (first["changed"], first["operations"]) == (True, 4)
    (fleet / "bundle.tar.gz").unlink()
    assert build(key)["revision"] == first["revision"]
    assert (fleet / "bundle.tar.gz").read_bytes() == content
    assert build(key)["changed"] is False
    assert run("verify", ENVIRONMENT) == {
        "bundle": str(fleet / "bundle.tar.gz"),
        "revision": first["revision"],
        "problem": "",
    }


def test_tests_of_the_policy_are_not_in_the_bundle(fleet: Path, key: Path) -> None:
    build(key)
    with tarfile.open(fleet / "bundle.tar.gz") as packed:
        names = packed.getnames()
    assert sorted(names) == ["/.manifest", "/.signatures.json", "/api/compliance/compliance.rego", "/data.json"]


def test_a_bundle_that_is_not_what_it_has_to_be_is_found(fleet: Path, key: Path, other_key: Path) -> None:
    file = fleet / "bundle.tar.gz"
    build(key)
    good = file.read_bytes()
    run("verify", ENVIRONMENT)

    apis_file(ENVIRONMENT).write_text(apis(state="DEPRECATED").text(), encoding="utf-8")
    refuse("The bundle is older than the policy, the registry or the configuration.")
    apis_file(ENVIRONMENT).write_text(apis().text(), encoding="utf-8")

    public = (fleet / "bundle-signing.pub").read_bytes()
    build(other_key)
    (fleet / "bundle-signing.pub").write_bytes(public)
    refuse("OPA refuses the bundle: ")

    file.write_bytes(good[: len(good) // 2])
    refuse("OPA refuses the bundle: ")


def refuse(problem: str) -> None:
    with pytest.raises(PalisadeError) as raised:
        run("verify", ENVIRONMENT)
    assert raised.value.problem.startswith(problem)
    assert (raised.value.remedy, raised.value.exit_code) == (f"palisade bundle build {ENVIRONMENT}", ExitCode.FINDINGS)


def test_operations_are_not_lost_because_the_apis_were_not_exported_here(fleet: Path, key: Path) -> None:
    build(key)
    before = (fleet / "bundle.tar.gz").read_bytes()
    apis_file(ENVIRONMENT).unlink()
    with pytest.raises(PalisadeError) as raised:
        build(key)
    assert raised.value.exit_code == ExitCode.CONFIGURATION
    assert f"{fleet / 'bundle.tar.gz'} has 4 operations" in raised.value.problem
    assert raised.value.where == str(apis_file(ENVIRONMENT))
    assert (raised.value.remedy or "").startswith(f"palisade registry export {ENVIRONMENT};")
    assert (fleet / "bundle.tar.gz").read_bytes() == before

    apis_file(ENVIRONMENT).write_text('{"apis": []}', encoding="utf-8")
    assert build(key)["operations"] == 0
    apis_file(ENVIRONMENT).unlink()
    assert build(key)["changed"] is False, "as before the first export"
    (fleet / "bundle.tar.gz").write_bytes(before[: len(before) // 2])
    assert build(key)["operations"] == 0, "what is no bundle is replaced"


def test_nothing_to_verify(fleet: Path) -> None:
    with pytest.raises(PalisadeError) as raised:
        run("verify", ENVIRONMENT)
    assert raised.value.lines() == [
        ("error", "There is nothing to verify."),
        ("where", str(fleet / "bundle.tar.gz")),
        ("what to do", "palisade bundle build local"),
    ]
