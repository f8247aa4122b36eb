"""A policy bundle that is missing: the first update leaves the registry out, a later one must not take it away."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest
from stacks_program import of_kind, run_program, shipped_fleet

from palisade.bundle.build import bundle_file
from palisade.registry.model import Apis, apis_file
from palisade.rendering.graph import Graph
from tests.local_state import write_bundle, write_local_state

LAST_UPDATE = "organization/palisade/local"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_local_state(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def run_after(**outputs: object) -> Graph:
    """Run the program of ``local`` after an update that left these outputs."""
    return run_program("local", shipped_fleet("local"), found={LAST_UPDATE: {"outputs": outputs}})


@pytest.mark.parametrize("outputs", [{}, {"registry": False}])
def test_before_there_is_a_bundle_the_registry_is_left_out(outputs: dict[str, object]) -> None:
    graph = run_after(**outputs)
    assert "registry" not in of_kind(graph, "Deployment")
    assert graph.outputs["registry"] is False


def test_with_a_bundle_the_stack_says_that_it_has_a_registry(tmp_path: Path) -> None:
    write_bundle(tmp_path, "local")
    graph = run_after()
    assert "registry" in of_kind(graph, "Deployment")
    assert graph.outputs["registry"] is True


def test_a_registry_is_not_removed_because_the_bundle_is_missing() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        run_after(registry=True)
    for part in ("would remove the registry", str(bundle_file("local")), "what to do: palisade bundle build local"):
        assert part in str(refused.value)


def test_routes_are_not_dropped_because_the_apis_were_not_exported_here(tmp_path: Path) -> None:
    write_bundle(tmp_path, "local")
    with pytest.raises(pulumi.RunError) as refused:
        run_after(registry=True, apis=2)
    for part in ("routes 2 versions of APIs", str(apis_file("local")), "what to do: palisade registry export local"):
        assert part in str(refused.value)


def test_apis_that_were_all_retired_are_no_reason_to_refuse(tmp_path: Path) -> None:
    write_bundle(tmp_path, "local")
    apis_file("local").write_text(Apis().text(), encoding="utf-8")
    assert run_after(registry=True, apis=2).outputs["apis"] == 0


def test_with_the_bundle_the_update_goes_on(tmp_path: Path) -> None:
    write_bundle(tmp_path, "local")
    assert "registry" in of_kind(run_after(registry=True), "Deployment")
