"""Plans: where each figure comes from, and what ``palisade plan`` answers and refuses."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.config import load_configuration
from palisade.errors import ExitCode, PalisadeError
from palisade.planning import make_plan, readable_tib
from palisade.project import Project


@pytest.fixture(autouse=True)
def _in_the_checkout(checkout: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALISADE_PROJECT", str(checkout.root))


def answer(*arguments: str) -> str:
    result = CliRunner().invoke(application, ["plan", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def document(*arguments: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(answer(*arguments, "--output", "json"))
    return parsed


def refusal(*arguments: str) -> PalisadeError:
    error = CliRunner().invoke(application, ["plan", *arguments]).exception
    assert isinstance(error, PalisadeError)
    return error


def test_the_answer_for_machines_has_every_figure() -> None:
    found = document("--rps", "120000")
    assert {key: found[key] for key in ("nodes", "vcpu", "memory_gib", "clusters", "nodes_per_cluster")} == {
        "nodes": 27,
        "vcpu": 108,
        "memory_gib": 432,
        "clusters": 3,
        "nodes_per_cluster": 9,
    }
    assert found["audit_storage_tib"] == 792.996
    assert found["next_step"] == {"rps": 120_001, "clusters": 3, "nodes_per_cluster": 10, "nodes": 30}
    assert found["next_cluster"]["rps"] == 150_001


def test_the_answer_for_people_names_units_and_sources() -> None:
    text = answer("--rps", "120000", "--retention-days", "2190")
    for part in ("120,000 requests/s", "432 GiB", "TiB after 2,190 days", "from 120,001 requests/s", "mission"):
        assert part in text


def test_every_figure_says_where_it_comes_from() -> None:
    found = document("prod", "--rps", "50000", "--replicas", "1")["assumptions"]
    assert found["peak_rps"] == {"value": 50_000, "unit": "requests per second", "source": "command line"}
    assert found["average_rps"]["value"] == 15_000
    assert found["average_rps"]["source"] == "same share of the peak as in Pulumi.prod.yaml"
    assert found["replicas"]["source"] == "command line"
    assert found["retention_days"] == {"value": 2557, "unit": "days", "source": "Pulumi.prod.yaml"}
    assert found["rps_per_node"]["source"] == "mission"


def test_without_an_environment_the_defaults_are_named_as_such() -> None:
    found = document("--rps", "5000")["assumptions"]
    assert {found[name]["source"] for name in ("average_rps", "record_bytes", "minimum_nodes")} == {
        "default, docs/sizing.md"
    }


def test_an_environment_is_planned_for_its_own_traffic(checkout: Project) -> None:
    found = document("staging")
    assert found["peak_rps"] == load_configuration(checkout, "staging").traffic.peak_rps
    assert found["environment"] == {
        "name": "staging",
        "is_local": False,
        "listed_registry_nodes": 0,
        "most_provisioned_nodes": 3,
        "covered_rps": 10_000,
        "uncovered_rps": 0,
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["local"], "lists 2 registry hosts; a local fleet has exactly those"),
        (["dev"], "lists 3 registry hosts: enough for this load"),
        (
            ["dev", "--rps", "10001"],
            "lists 3 registry hosts, 4 are needed: they carry 10,000 requests/s, 1 are not covered",
        ),
        (["dev", "--minimum-nodes", "3"], "lists 3 registry hosts: 1 fewer than availability needs"),
        (["prod"], "has Karpenter make up to 6 registry nodes: enough for this load"),
        (
            ["prod", "--rps", "60000"],
            "up to 6 registry nodes, 14 are needed: they carry 25,000 requests/s, 35,000 are not covered. "
            "What to do: raise traffic.peak_rps there to 60000, then pulumi up.",
        ),
    ],
)
def test_the_nodes_are_compared_with_the_need(arguments: list[str], said: str) -> None:
    assert said in " ".join(answer(*arguments).split())


def test_a_local_fleet_promises_no_load() -> None:
    environment = document("local", "--rps", "50000")["environment"]
    assert (environment["covered_rps"], environment["uncovered_rps"]) == (None, None)


@pytest.mark.parametrize(
    ("arguments", "problem", "allowed"),
    [
        (["--rps", "0"], "0 is not allowed", "a whole number of requests per second from 1 to 10,000,000"),
        (["--rps=-1"], "-1 is not allowed", "from 1 to 10,000,000"),
        (["--rps", "99999999999"], "99999999999 is not allowed", "from 1 to 10,000,000"),
        (["prod", "--rps", "99999999999"], "99999999999 is not allowed", "from 1 to 10,000,000"),
        (["prod", "--rps", "0"], "0 is not allowed", "from 1 to 10,000,000"),
        (["--rps", "10", "--average-rps", "11"], "above the peak of 10", "at most peak_rps, 10"),
        (["--rps", "10", "--retention-days", "364"], "364 is not allowed", "days from 365 to 7,300"),
        (["--rps", "10", "--compression-ratio", "0"], "0 is not allowed", "from 1 (not compressed) to 50"),
        (["--rps", "10", "--compression-ratio", "x"], "'x' is not a number", "6.5"),
        (["--rps", "10", "--plot", "plan.png"], "only be drawn as SVG", "ends in .svg"),
        ([], "There is no load to plan for", "an environment, --rps, or both"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: list[str], problem: str, allowed: str) -> None:
    error = refusal(*arguments)
    assert problem in error.problem
    assert allowed in (error.allowed or "")
    assert error.exit_code in {ExitCode.CONFIGURATION, ExitCode.USAGE}


def test_all_refused_figures_are_named_at_once() -> None:
    problem = refusal("--rps", "0", "--retention-days", "30", "--minimum-nodes", "0").problem
    for path in ("plan.traffic.peak_rps", "plan.audit.retention_days", "plan.registry.minimum_nodes"):
        assert path in problem


def test_a_picture_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    error = refusal("--rps", "10", "--plot", str(tmp_path / "missing" / "plan.svg"))
    assert error.exit_code is ExitCode.MACHINE
    assert "No such file or directory" in error.problem


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert answer("prod", "--output", "json") == answer("prod", "--output", "json")


@pytest.mark.parametrize(
    ("tebibytes", "text"),
    [("0.0004", "0.001"), ("0.023", "0.023"), ("1", "1.0"), ("33.042", "33.1"), ("792.996", "793"), ("8333", "8,333")],
)
def test_storage_is_shown_with_as_many_decimals_as_matter(tebibytes: str, text: str) -> None:
    assert readable_tib(Decimal(tebibytes)) == text


def test_a_plan_without_configuration_belongs_to_no_environment() -> None:
    assert make_plan(None, {"peak_rps": 5000}).environment is None
