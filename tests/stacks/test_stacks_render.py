"""``palisade render``: the graph as manifests."""

from __future__ import annotations

import re
from pathlib import Path

import pulumi
import pytest
import yaml
from stacks_program import PROJECT_ROOT, graph_of, run_program, shipped_fleet
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.errors import ConfigurationError
from palisade.rendering.manifests import manifests, to_yaml
from tests.pins import pinned_project


def test_every_object_of_the_graph_is_a_manifest_and_nothing_else() -> None:
    graph = graph_of("prod")
    documents = list(yaml.safe_load_all(to_yaml(manifests(graph))))
    assert len(documents) == len(graph.objects) > 50
    assert all({"apiVersion", "kind", "metadata"} <= document.keys() for document in documents)
    assert documents == manifests(graph)


def test_whole_numbers_are_integers_as_the_api_server_wants_them() -> None:
    text = to_yaml(manifests(graph_of("prod")))
    assert not re.search(r": -?[0-9]+[.]0$", text, re.MULTILINE)


def test_namespaces_come_first_and_what_is_in_them_last() -> None:
    kinds = [(each["kind"], "namespace" in each["metadata"]) for each in manifests(graph_of("prod"))]
    assert [kind for kind, _ in kinds[:3]] == ["Namespace"] * 3
    placed = [is_in_one for _, is_in_one in kinds]
    assert placed == sorted(placed)


def test_nodes_that_are_only_looked_at_are_not_rendered() -> None:
    assert "Node" not in {each["kind"] for each in manifests(graph_of("dev"))}


def test_the_command_prints_them_for_another_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(pinned_project(PROJECT_ROOT, "prod", tmp_path / "pinned"))
    result = CliRunner().invoke(application, ["render", "prod", "--rps", "120000"], catch_exceptions=False)
    pools = [each for each in yaml.safe_load_all(result.stdout) if each["kind"] == "NodePool"]
    assert [each["metadata"]["name"] for each in pools] == [f"palisade-registry-{number}" for number in (1, 2, 3)]


def test_a_load_that_is_refused_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    with pytest.raises(ConfigurationError, match="3 registry hosts are listed"):
        CliRunner().invoke(application, ["render", "dev", "--rps", "50000"], catch_exceptions=False)


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_whose_images_are_not_pinned_is_refused_with_the_command_that_pins_them(
    environment: str,
) -> None:
    fleet = shipped_fleet(environment)
    images = fleet["images"].copy()
    del images["envoy"], images["opa"]
    with pytest.raises(pulumi.RunError) as raised:
        run_program(environment, {**fleet, "images": images})
    assert "Images are not pinned: envoy, opa." in str(raised.value)
    assert f"palisade images pin {environment}" in str(raised.value)


def test_what_the_program_refuses_is_an_error_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    with pytest.raises(ConfigurationError, match="Images are not pinned") as refused:
        CliRunner().invoke(application, ["render", "prod"], catch_exceptions=False)
    assert refused.value.remedy == "palisade images pin prod"
