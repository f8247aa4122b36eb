"""What a stack exports, per environment, after the whole program has run."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
import yaml
from stacks_program import PROJECT_ROOT, graph_of, run_program, shipped_fleet

from palisade.config import fleet_of, load_configuration
from palisade.fleet import parse_fleet
from palisade.planning import make_plan
from palisade.project import Project

ENVIRONMENTS = ["dev", "local", "prod", "staging"]
PROJECT = Project(root=PROJECT_ROOT)


def as_exported(document: Any) -> Any:
    """An output of a stack has no key whose value is nothing."""
    if not isinstance(document, dict):
        return document
    return {key: as_exported(value) for key, value in document.items() if value is not None}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_fleet_output_is_the_fleet_of_the_configuration(environment: str) -> None:
    graph = graph_of(environment)
    exported = parse_fleet(json.dumps(graph.outputs["fleet"]), where="output")
    assert exported == fleet_of(load_configuration(PROJECT, environment))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_plan_output_is_the_plan_of_the_configuration(environment: str) -> None:
    graph = graph_of(environment)
    assert graph.outputs["plan"] == as_exported(make_plan(load_configuration(PROJECT, environment), {}).document())


@pytest.mark.parametrize(
    ("rps", "nodes", "clusters"),
    [(1_000, 3, 1), (5_000, 3, 1), (5_001, 3, 1), (50_000, 11, 1), (50_001, 14, 2), (120_000, 27, 3)],
)
def test_the_plan_follows_the_traffic(rps: int, nodes: int, clusters: int) -> None:
    plan = graph_of("prod", rps).outputs["plan"]
    assert (plan["peak_rps"], plan["nodes"], plan["clusters"]) == (rps, nodes, clusters)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_same_configuration_exports_the_same(environment: str) -> None:
    again = run_program(environment, shipped_fleet(environment))
    assert json.dumps(again.outputs) == json.dumps(graph_of(environment).outputs)
    assert set(again.outputs) == {"apis", "fleet", "plan", "registry"}


def test_a_bad_configuration_is_refused_before_any_resource() -> None:
    fleet = {**shipped_fleet("dev"), "audit": {"retention_days": 30}}
    with pytest.raises(pulumi.RunError) as refused:
        run_program("dev", fleet)
    for part in ("30 is not allowed", "configuration of stack dev: fleet.audit.retention_days", "from 365 to 7,300"):
        assert part in str(refused.value)


def test_a_stack_without_configuration_says_which_key_is_missing() -> None:
    with pytest.raises(pulumi.RunError, match="palisade:fleet"):
        run_program("dev", None)


def test_the_project_file_names_this_program() -> None:
    project = yaml.safe_load((PROJECT_ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert (project["name"], project["runtime"], project["main"]) == ("palisade", "python", "stacks/")
