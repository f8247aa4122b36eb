"""The picture of a plan: nodes and audit storage against load, with the chosen point, as an SVG document.

Geometry is computed here; ``templates/plan/plan.svg.j2`` only draws it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, log10

from palisade.config_values import MAXIMUM_RPS
from palisade.planning import Plan, readable_tib
from palisade.sizing import BYTES_PER_TIB, RPS_PER_CLUSTER, audit_storage_bytes, scale_for
from palisade.templates import markup_environment

_LEFT, _RIGHT = 84.0, 924.0
_NODES_TOP, _NODES_BOTTOM = 164.0, 370.0
_STORAGE_TOP, _STORAGE_BOTTOM = 424.0, 560.0
_MOST_TICKS = 6
_LABEL_WIDTH = 280.0
"""What the label of the chosen point takes; it goes to the left of the point where that fits, else to its right."""
_PAST_THE_POINT = 1.25
"""How much further than the chosen point and its cluster the picture goes."""


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Axis:
    """A linear axis from zero, with a few round ticks."""

    maximum: float
    start: float
    """Where zero is, in pixels."""
    end: float
    """Where the maximum is, in pixels."""

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return round(self.start + (self.end - self.start) * value / self.maximum, 2)

    def ticks(self) -> list[Tick]:
        """Round values and their pixels, zero included."""
        distance = _round_distance(self.maximum)
        numbers = [distance * count for count in range(floor(self.maximum / distance) + 1)]
        return [Tick(self.at(number), _short(number)) for number in numbers]


@dataclass(frozen=True)
class Band:
    """The loads that one number of clusters carries."""

    start: float
    end: float
    label: str


def draw(plan: Plan) -> str:
    """The picture of a plan as SVG text; the same plan gives the same bytes."""
    sizing, minimum = plan.sizing, plan.registry.minimum_nodes
    peak = sizing.traffic.peak_rps
    shown_rps = min(MAXIMUM_RPS, ceil(max(peak, sizing.scale.clusters * RPS_PER_CLUSTER) * _PAST_THE_POINT))
    load = Axis(shown_rps, _LEFT, _RIGHT)
    nodes = Axis(_headroom(scale_for(shown_rps, minimum).nodes), _NODES_BOTTOM, _NODES_TOP)
    bytes_per_rps = audit_storage_bytes(sizing.traffic.average_rps, plan.audit) / peak
    shown_tib = bytes_per_rps * shown_rps / BYTES_PER_TIB
    storage = Axis(_headroom(shown_tib), _STORAGE_BOTTOM, _STORAGE_TOP)
    environment = markup_environment("plan")
    environment.filters.update(number=_full, tib=readable_tib)
    return environment.get_template("plan.svg.j2").render(
        plan=plan,
        sizing=sizing,
        left=_LEFT,
        right=_RIGHT,
        nodes_top=_NODES_TOP,
        nodes_bottom=_NODES_BOTTOM,
        storage_top=_STORAGE_TOP,
        storage_bottom=_STORAGE_BOTTOM,
        load_ticks=load.ticks(),
        node_ticks=nodes.ticks(),
        storage_ticks=storage.ticks(),
        bands=list(_bands(load)),
        node_line=_node_line(load, nodes, minimum),
        storage_end=(load.at(shown_rps), storage.at(shown_tib)),
        point_x=load.at(peak),
        point_nodes_y=nodes.at(sizing.scale.nodes),
        point_storage_y=storage.at(float(sizing.audit_storage_tib)),
        label_anchor="end" if load.at(peak) - _LEFT > _LABEL_WIDTH else "start",
    )


def _node_line(load: Axis, nodes: Axis, minimum_nodes: int) -> str:
    scale = scale_for(1, minimum_nodes)
    path = [f"M{load.at(0)},{nodes.at(scale.nodes)}"]
    while scale.covered_rps < load.maximum:
        path.append(f"H{load.at(scale.covered_rps)}")
        scale = scale_for(scale.covered_rps + 1, minimum_nodes)
        path.append(f"V{nodes.at(scale.nodes)}")
    return " ".join([*path, f"H{load.at(load.maximum)}"])


def _bands(load: Axis) -> Iterator[Band]:
    total = ceil(load.maximum / RPS_PER_CLUSTER)
    labelled_every = max(1, round(_round_distance(total)))
    for clusters in range(1, total + 1):
        label = f"{clusters} cluster{'s' if clusters > 1 else ''}" if clusters % labelled_every == 0 else ""
        start = load.at((clusters - 1) * RPS_PER_CLUSTER)
        yield Band(start, load.at(min(load.maximum, clusters * RPS_PER_CLUSTER)), label)


def _round_distance(maximum: float) -> float:
    rough = maximum / _MOST_TICKS
    magnitude = 10 ** floor(log10(rough))
    return float(next(step for step in (1, 2, 5, 10) if rough <= step * magnitude) * magnitude)


def _headroom(value: float) -> float:
    return value * 1.15


def _short(number: float) -> str:
    for size, suffix in ((1_000_000, " M"), (1_000, " k")):
        if number >= size:
            return f"{number / size:g}{suffix}"
    return f"{number:g}"


def _full(number: int | Decimal) -> str:
    return f"{number:,}"
