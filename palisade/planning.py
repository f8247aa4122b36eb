"""A plan: a sizing together with what it rests on, and where each of those figures comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from palisade.config import FleetConfiguration
from palisade.config_cluster import Provisioner
from palisade.config_sections import Audit, Registry, Traffic
from palisade.config_values import MAXIMUM_RPS
from palisade.fleet import HostGroup
from palisade.sizing import (
    RPS_PER_CLUSTER,
    RPS_PER_NODE,
    SPARE_NODES_PER_CLUSTER,
    Scale,
    Sizing,
    covered_by,
    scale_for,
    size,
)
from palisade.validation import Section, section_of, unit_for, validate

COMMAND_LINE = "command line"
DEFAULT = "default, docs/sizing.md"
MISSION = "mission"


class _Basis(Section):
    """The parts of a configuration that sizing needs."""

    traffic: Traffic
    audit: Audit
    registry: Registry


_PARTS: Mapping[str, type[Section]] = {"traffic": Traffic, "audit": Audit, "registry": Registry}


@dataclass(frozen=True)
class Assumption:
    """One figure that a plan rests on."""

    name: str
    value: int | Decimal
    unit: str
    source: str
    """The command line, the environment's file, a written default, or the mission."""


@dataclass(frozen=True)
class Environment:
    """The environment that a plan is for."""

    name: str
    is_local: bool
    """Whether its scale is what is listed, whatever its traffic asks for."""
    listed_registry_nodes: int
    provisioned: Scale | None
    """Up to where Karpenter makes registry nodes: what the environment's own traffic needs. None: hosts are listed."""
    covered_rps: int | None
    """Requests per second that its nodes carry with one node of every cluster gone; None for a local fleet."""


@dataclass(frozen=True)
class Plan:
    """A sizing, what it rests on, and the environment it is for (if any)."""

    sizing: Sizing
    audit: Audit
    registry: Registry
    assumptions: tuple[Assumption, ...]
    environment: Environment | None

    @property
    def uncovered_rps(self) -> int | None:
        """Requests per second of this load that the environment's nodes do not carry; None if nobody can say."""
        if self.environment is None or self.environment.covered_rps is None:
            return None
        return max(0, self.sizing.traffic.peak_rps - self.environment.covered_rps)

    def document(self) -> dict[str, Any]:
        """The answer for machines."""
        environment = self.environment
        return {
            **self.sizing.document(),
            "assumptions": {
                each.name: {
                    "value": float(each.value) if isinstance(each.value, Decimal) else each.value,
                    "unit": each.unit,
                    "source": each.source,
                }
                for each in self.assumptions
            },
            "environment": None
            if environment is None
            else {
                "name": environment.name,
                "is_local": environment.is_local,
                "listed_registry_nodes": environment.listed_registry_nodes,
                "most_provisioned_nodes": environment.provisioned.nodes if environment.provisioned else None,
                "covered_rps": environment.covered_rps,
                "uncovered_rps": self.uncovered_rps,
            },
        }


def make_plan(configuration: FleetConfiguration | None, given: Mapping[str, int | Decimal]) -> Plan:
    """Size an environment, or a load for which there is none yet.

    Args:
        configuration: The environment; None means the written defaults.
        given: Figures that the caller wants instead, by the name of the configuration key (``peak_rps``). If only the
            peak is given, the average keeps the share of the peak that it has in the configuration.

    Raises:
        ConfigurationError: a given figure is not allowed, or there is neither a configuration nor a peak.
    """
    changed = dict(given)
    if configuration is not None and "peak_rps" in given and "average_rps" not in given:
        share = Fraction(configuration.traffic.average_rps, configuration.traffic.peak_rps)
        # Kept within bounds, so that a peak that is not allowed is refused once and not twice.
        changed["average_rps"] = min(MAXIMUM_RPS, max(1, ceil(Fraction(given["peak_rps"]) * share)))
    known = (
        {} if configuration is None else configuration.model_dump(include=set(_Basis.model_fields), exclude_unset=True)
    )
    wanted = {
        name: {**known.get(name, {}), **{key: changed[key] for key in part.model_fields if key in changed}}
        for name, part in _PARTS.items()
    }
    basis = validate(_Basis, wanted, file="the command line", at="plan", lines={})
    file = "" if configuration is None else f"Pulumi.{configuration.environment}.yaml"
    sizing = size(basis.traffic, basis.audit, basis.registry)
    return Plan(
        sizing=sizing,
        audit=basis.audit,
        registry=basis.registry,
        assumptions=(
            *(
                found
                for part in (basis.traffic, basis.audit, basis.registry)
                for found in _assumptions(part, given, changed, file)
            ),
            Assumption("rps_per_node", RPS_PER_NODE, "requests per second", MISSION),
            Assumption("rps_per_cluster", RPS_PER_CLUSTER, "requests per second", MISSION),
            Assumption("spare_nodes_per_cluster", SPARE_NODES_PER_CLUSTER, "registry nodes", MISSION),
        ),
        environment=None if configuration is None else _environment(configuration, sizing),
    )


def readable_tib(tebibytes: Decimal) -> str:
    """A storage figure with as many decimals as matter, rounded up."""
    digits = next((digits for limit, digits in ((100, "1"), (1, "0.1")) if tebibytes >= limit), "0.001")
    return f"{tebibytes.quantize(Decimal(digits), rounding=ROUND_CEILING):,}"


def _assumptions(section: Section, given: Mapping[str, Any], changed: Mapping[str, Any], file: str) -> list[Assumption]:
    found = []
    for name, field in type(section).model_fields.items():
        if section_of(field.annotation) is not None:  # where records go, which no size follows from
            continue
        if name in given:
            source = COMMAND_LINE
        elif name in changed:
            source = f"same share of the peak as in {file}"
        elif name in section.model_fields_set:
            source = file
        else:
            source = DEFAULT
        found.append(Assumption(name, getattr(section, name), unit_for(field), source))
    return found


def _environment(configuration: FleetConfiguration, sizing: Sizing) -> Environment:
    cluster = configuration.cluster
    listed = len(configuration.hosts_in(HostGroup.REGISTRY))
    provisioned = None
    if cluster is not None and cluster.provisioner is Provisioner.KARPENTER:
        # What `pulumi up` allows follows from the file, whatever load the caller asks about.
        provisioned = scale_for(configuration.traffic.peak_rps, configuration.registry.minimum_nodes)
    if configuration.is_local:
        covered = None
    elif provisioned is not None:
        covered = provisioned.covered_rps
    else:
        covered = covered_by(listed, sizing.scale.clusters)
    return Environment(
        name=configuration.environment,
        is_local=configuration.is_local,
        listed_registry_nodes=listed,
        provisioned=provisioned,
        covered_rps=covered,
    )
