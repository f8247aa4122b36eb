from __future__ import annotations

from pathlib import Path

import pytest

from palisade.config import FleetConfiguration, load_configuration
from palisade.console import Steps
from palisade.errors import ConfigurationError, PalisadeError
from palisade.local import replace as module
from palisade.local.places import Places
from palisade.local.processes import Finished
from palisade.local.replace import REPLACE_STEPS, replace
from palisade.project import Project

CHECKOUT = Project(Path(__file__).resolve().parents[3])


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FleetConfiguration:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return load_configuration(CHECKOUT, "local")


@pytest.mark.parametrize("name", ["db-1", "control-1", "registry-9"])
def test_only_a_node_of_the_cluster_can_be_replaced(name: str, local: FleetConfiguration) -> None:
    with pytest.raises(ConfigurationError) as refused:
        replace(local, CHECKOUT, name, Steps(REPLACE_STEPS), force=False)
    assert refused.value.problem == f"{name} is not a node of the fleet's own cluster."
    assert refused.value.allowed == "registry-1, registry-2"


def test_a_fleet_without_a_cluster_has_no_node_to_replace() -> None:
    with pytest.raises(ConfigurationError, match="none: the fleet has no host of the group control"):
        replace(load_configuration(CHECKOUT, "molecule"), CHECKOUT, "registry-1", Steps(REPLACE_STEPS), force=False)


def test_a_fleet_that_is_not_up_says_how_to_start_it(
    local: FleetConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "runs_as_root", lambda: True)
    with pytest.raises(PalisadeError, match="The fleet local is not up") as refused:
        replace(local, CHECKOUT, "registry-1", Steps(REPLACE_STEPS), force=False)
    assert refused.value.remedy == "palisade local up --environment local"


class Kubectl:
    """What kubectl was asked, and what it answers: nothing wrong unless told otherwise."""

    def __init__(self, **answers: Finished) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.answers = answers

    def __call__(self, _: Places, *arguments: str) -> Finished:
        self.asked.append(arguments)
        return self.answers.get(arguments[0], Finished(("kubectl", *arguments), 0, "node/registry-1\n", ""))


def drained(monkeypatch: pytest.MonkeyPatch, kubectl: Kubectl, *, force: bool = False) -> list[tuple[str, ...]]:
    monkeypatch.setattr(module, "kubectl", kubectl)
    module._drain(Places.of("local"), "registry-1", force=force)
    return [asked for asked in kubectl.asked if asked[0] != "get"]


def test_pods_are_evicted_before_the_node_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = drained(monkeypatch, Kubectl())
    assert first[:2] == ("drain", "registry-1")
    assert {"--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s"} == set(first[2:])
    assert second[:3] == ("delete", "node", "registry-1")


def test_force_gives_up_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = drained(monkeypatch, Kubectl(), force=True)
    assert {"--force", "--disable-eviction", "--grace-period=0"} <= set(first)


def test_a_node_that_was_deleted_by_an_earlier_call_is_not_drained_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drained(monkeypatch, Kubectl(get=Finished((), 0, "", ""))) == []


def test_a_drain_that_is_refused_keeps_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Finished(("kubectl", "drain"), 1, "", "cannot delete Pods that declare no controller: default/alone")
    kubectl = Kubectl(drain=refusal)
    with pytest.raises(PalisadeError, match="declare no controller: default/alone") as refused:
        drained(monkeypatch, kubectl)
    assert (refused.value.remedy or "").endswith("palisade local replace registry-1 --force")
    assert [asked[0] for asked in kubectl.asked] == ["get", "drain"]
