"""Measures how long Karpenter takes for the registry nodes of one cluster and of fifty: rows of docs/performance.md.

Run it on an otherwise idle machine: ``python -m benchmarks.provisioning`` (about five minutes with warm builds). The
machines are simulated (Karpenter's kwok provider): what a cloud takes to start one comes on top.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.page import write_table
from palisade.sizing import Scale
from tests.control_plane import control_plane
from tests.provisioning.environment import NAME, ProvisionedEnvironment, make_environment
from tests.provisioning.kubectl import Kubectl
from tests.provisioning.machines import simulated_machines
from tests.provisioning.stand_in import NAMESPACE, stand_in

LOADS = (50_000, 2_500_000)
"""Requests per second: one cluster, and fifty."""
PREVIEWED_RPS = 500_000
"""Ten clusters: previewed from empty, and with nothing to change."""
COUNTED_NODES = 500
SECONDS = 1_800


@dataclass(frozen=True)
class Run:
    """One load, from an empty cluster."""

    peak_rps: int
    scale: Scale
    up_seconds: float
    """How long ``palisade stack up`` took."""
    node_seconds: Sequence[float]
    """When each node was ready, counted from the start of ``palisade stack up``, ascending."""
    pods_seconds: float
    """When the last pod ran, counted likewise."""


def measure(peak_rps: int) -> Run:
    """Build an environment for a load on a control plane of its own, and wait for its last node."""
    print(f"  {peak_rps:,} requests/s", file=sys.stderr, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="palisade-benchmark-") as directory,
        control_plane(controllers=True) as plane,
        simulated_machines(plane) as machines,
    ):
        environment = make_environment(plane, Path(directory))
        started, clock = time.time(), time.monotonic()
        scale = environment.up(peak_rps)
        up_seconds = time.monotonic() - clock
        clusters = range(1, scale.clusters + 1)
        machines.kubectl.apply(
            *(stand_in(cluster, scale.nodes_per_cluster, environment.requests) for cluster in clusters)
        )
        # That they run, not that they are ready: the control plane takes a pod's readiness away while its node is new
        # and late with a sign of life, and a simulated kubelet never gives it back.
        wait_for(machines.kubectl, f"{{.status.replicas}}={scale.nodes_per_cluster}", "deployment")
        wait_for(machines.kubectl, "{.status.phase}=Running", "pod")
        pods_seconds = time.monotonic() - clock
        # A pod may run a moment before Karpenter has seen its node as ready.
        machines.kubectl.wait("condition=Initialized", "nodeclaims", "--all", seconds=SECONDS)
        return Run(peak_rps, scale, up_seconds, ready_after(machines.kubectl, started), pods_seconds)


def preview() -> list[tuple[str, str]]:
    """The rows of a preview of ten clusters: from empty, and after it was built."""
    with (
        tempfile.TemporaryDirectory(prefix="palisade-benchmark-") as directory,
        control_plane(controllers=True) as plane,
        simulated_machines(plane),
    ):
        environment = make_environment(plane, Path(directory))
        environment.declare(PREVIEWED_RPS)
        from_empty = previewed(environment)
        environment.up(PREVIEWED_RPS)
        title = f"{PREVIEWED_RPS:,} requests/s: `palisade stack preview`"
        return [
            (f"{title} from empty", f"{from_empty:.1f} s"),
            (f"{title} with nothing to change", f"{previewed(environment):.1f} s"),
        ]


def previewed(environment: ProvisionedEnvironment) -> float:
    """How long a preview took, in seconds."""
    clock = time.monotonic()
    environment.palisade("stack", "preview", NAME)
    return time.monotonic() - clock


def wait_for(kubectl: Kubectl, value: str, kind: str) -> None:
    """Wait until every stand-in object of a kind has a value in a field."""
    kubectl.wait(f"jsonpath={value}", kind, "--all", f"--namespace={NAMESPACE}", seconds=SECONDS)


def ready_after(kubectl: Kubectl, started: float) -> list[float]:
    """When Karpenter saw each node ready for pods, in whole seconds after a time, ascending."""
    conditions = (condition for claim in kubectl.objects("nodeclaims") for condition in claim["status"]["conditions"])
    times = (
        datetime.fromisoformat(condition["lastTransitionTime"])
        for condition in conditions
        if condition["type"] == "Initialized" and condition["status"] == "True"
    )
    return sorted(moment.timestamp() - started for moment in times)


def rows(run: Run) -> list[tuple[str, str]]:
    """What is shown of one run."""
    scale, ready = run.scale, run.node_seconds
    clusters = f"{scale.clusters} cluster{'s' if scale.clusters > 1 else ''}"
    title = f"{run.peak_rps:,} requests/s, {clusters}"
    found = [
        (f"{title}: `palisade stack up` from empty", f"{run.up_seconds:.1f} s"),
        (f"{title}: from its start to the last of {len(ready)} nodes", f"{ready[-1]:.0f} s"),
        (f"{title}: to the last of {len(ready)} pods", f"{run.pods_seconds:.1f} s"),
    ]
    if len(ready) > COUNTED_NODES:
        found.insert(2, (f"{title}: to node {COUNTED_NODES}", f"{ready[COUNTED_NODES - 1]:.0f} s"))
    return found


def main() -> None:
    """Measure and write the table."""
    measured = preview()
    for peak_rps in LOADS:
        measured += rows(measure(peak_rps))
        print(*measured, sep="\n", file=sys.stderr, flush=True)  # a long run that is stopped has told something
    write_table("provisioning", "python -m benchmarks.provisioning", measured)


if __name__ == "__main__":
    main()
