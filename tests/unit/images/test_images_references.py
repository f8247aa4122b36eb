from __future__ import annotations

import json
from pathlib import Path

import pytest

from palisade.config import FleetConfiguration, load_configuration
from palisade.errors import ConfigurationError
from palisade.images.references import image_reference
from palisade.project import Project

PROJECT = Project(Path(__file__).parents[3])
DIGEST = f"sha256:{'0123456789abcdef' * 4}"


def configuration(environment: str, **images: str) -> FleetConfiguration:
    return load_configuration(PROJECT, environment).model_copy(update={"images": images})


@pytest.mark.parametrize("environment", ["local", "prod"])
def test_an_image_of_the_configuration_counts(environment: str) -> None:
    reference = f"registry.example/palisade/envoy:1@{DIGEST}"
    assert image_reference(configuration(environment, envoy=reference), "envoy") == reference


def test_a_local_fleet_runs_what_it_has_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    layout = tmp_path / "palisade/fleets/local/images/envoy"
    layout.mkdir(parents=True)
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": DIGEST}]}), encoding="utf-8")
    local = configuration("local")
    assert image_reference(local, "envoy") == f"registry.palisade.internal/palisade/envoy@{DIGEST}"
    with pytest.raises(ConfigurationError, match="The local fleet local has no image opa") as raised:
        image_reference(local, "opa")
    assert raised.value.remedy == "palisade local up --environment local"


def test_elsewhere_an_image_without_a_digest_is_refused_with_the_command_that_finds_it() -> None:
    with pytest.raises(ConfigurationError, match="The image envoy is not pinned") as raised:
        image_reference(configuration("staging"), "envoy")
    assert raised.value.where == "Pulumi.staging.yaml: fleet.images.envoy"
    assert raised.value.remedy == "palisade images pin staging"
