"""When audit records count as collected: on every node, and on a control plane only where it can be seen."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from palisade.verification.check import NotAssessable, Recorder
from palisade.verification.cluster_access import ClusterAccess

ROOT = Path(__file__).resolve().parents[3]
CONTROL = SimpleNamespace(
    expected={"namespace": "palisade-agents", "daemonsets": ["fluentd"], "of_control_nodes": ["fluentd-control"]}
)


@pytest.fixture(scope="module")
def check() -> Callable[..., None]:
    found: Callable[..., None] = runpy.run_path(str(ROOT / "tests/verify/test_cluster_objects.py"))[
        "test_record_collector"
    ]
    return found


def a_cluster(*, has_control_nodes: bool, **ready: int) -> Any:
    """A cluster whose DaemonSets should have three pods each."""
    access = ClusterAccess(None, "here", sinks={"s3": (("203.0.113.0/24",), 443)}, has_control_nodes=has_control_nodes)
    found = [
        {
            "metadata": {"name": name.replace("_", "-")},
            "status": {"desiredNumberScheduled": 3, "numberReady": number},
        }
        for name, number in ready.items()
    ]
    return SimpleNamespace(access=access, objects=lambda *_kind, **_where: found)


def test_with_control_nodes_both_have_to_be_ready(check: Callable[..., None]) -> None:
    check(CONTROL, Recorder(), a_cluster(has_control_nodes=True, fluentd=3, fluentd_control=3))
    with pytest.raises(AssertionError, match="fluentd-control: 2 of 3"):
        check(CONTROL, Recorder(), a_cluster(has_control_nodes=True, fluentd=3, fluentd_control=2))
    with pytest.raises(AssertionError, match="fluentd-control: 0 of 0"):
        check(CONTROL, Recorder(), a_cluster(has_control_nodes=True, fluentd=3))


def test_of_a_managed_control_plane_nothing_is_claimed(check: Callable[..., None]) -> None:
    seen = Recorder()
    with pytest.raises(NotAssessable, match="cloud's own logging"):
        check(CONTROL, seen, a_cluster(has_control_nodes=False, fluentd=3))
    assert seen.file == {"daemonsets": ["fluentd"], "left_out": False}


def test_beside_a_managed_control_plane_the_nodes_are_judged(check: Callable[..., None]) -> None:
    with pytest.raises(AssertionError, match="fluentd: 2 of 3"):
        check(CONTROL, Recorder(), a_cluster(has_control_nodes=False, fluentd=2))
