"""How a registry pod is divided among its containers: ``stacks/data/registry.yaml``, and what follows from it."""

from __future__ import annotations

from pydantic import model_validator

from palisade.sizing import Resources
from palisade.validation import Problem, Section, refuse

_WHOLE = 100


class Share(Section):
    """What a container asks for, in percent of what its pod asks for."""

    cpu: int
    memory: int


class ContainerRow(Section):
    """One container of a registry pod."""

    name: str
    image: str
    """The name of its image in the configuration."""
    why: str
    share: Share
    health: str
    """The path of Envoy's health listener that tells whether it works."""
    startup_seconds: int
    """How long it may take to start before it is started again."""
    drain_seconds: int
    """How long it goes on after the pod was told to end."""


class ProbeRow(Section):
    """How often a container is asked whether it works."""

    period_seconds: int
    timeout_seconds: int
    failures: int


class RegistryTable(Section):
    """``stacks/data/registry.yaml``."""

    containers: tuple[ContainerRow, ...]
    termination_seconds: int
    busy_percent: int
    probe: ProbeRow
    temporary_mib: int
    disk_mib: int
    java_heap_percent: int
    go_memory_percent: int

    @model_validator(mode="after")
    def _adds_up(self) -> RegistryTable:
        for kind in ("cpu", "memory"):
            total = sum(getattr(row.share, kind) for row in self.containers)
            if total != _WHOLE:
                refuse([Problem(("containers",), f"The shares of {kind} add up to {total}.", f"{_WHOLE} percent")])
        longest = max(row.drain_seconds for row in self.containers)
        if longest >= self.termination_seconds:
            what = f"{self.termination_seconds} s are over before a container that drains for {longest} s has ended."
            refuse([Problem(("termination_seconds",), what, f"more than {longest} seconds")])
        return self


def divided(pod: Resources, rows: tuple[ContainerRow, ...]) -> dict[str, Resources]:
    """What each container asks for; together exactly what the pod asks for.

    Args:
        pod: What the pod asks for.
        rows: The containers; the last one takes what rounding leaves.
    """
    found = {
        row.name: Resources(pod.millicpu * row.share.cpu // _WHOLE, pod.memory_mib * row.share.memory // _WHOLE)
        for row in rows[:-1]
    }
    left_millicpu = pod.millicpu - sum(each.millicpu for each in found.values())
    left_memory = pod.memory_mib - sum(each.memory_mib for each in found.values())
    return {**found, rows[-1].name: Resources(left_millicpu, left_memory)}
