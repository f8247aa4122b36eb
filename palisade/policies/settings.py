"""What the rules take from an environment, and the names that both implementations share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from palisade.config import FleetConfiguration

AGENTS_NAMESPACE = "palisade-agents"
"""Node agents such as log collectors; the only pods that may see directories of their node."""
NAMESPACES = (AGENTS_NAMESPACE, "palisade-registry", "palisade-system")
"""Where the cluster enforces the rules whatever labels say; a name cannot be taken off a namespace."""
ENFORCED_LABEL = "palisade.dev/policies"
"""Any other namespace with this label and the value ``enforced`` is held to the same rules."""
SETTINGS_OBJECT = "palisade-settings"
"""The ConfigMap in which the stack declares what no other object of the cluster shows."""
SETTINGS_NAMESPACE = "palisade-system"


@dataclass(frozen=True)
class PolicySettings:
    """What differs between environments; without arguments the strictest."""

    local: bool = False
    """Whether images may be named by a tag: only on one's own machine, where no registry returns a digest."""
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The regions that each data class allows; a class that is not listed is allowed nowhere."""


def policy_settings(configuration: FleetConfiguration) -> PolicySettings:
    """The settings of an environment."""
    return PolicySettings(
        local=configuration.is_local,
        regions={name: tuple(kind.allowed_regions) for name, kind in sorted(configuration.data_classes.items())},
    )


def declared_settings(configuration: FleetConfiguration) -> dict[str, str]:
    """The data of the ConfigMap :data:`SETTINGS_OBJECT`: what the rules about configuration look at."""
    regions = {f"region.{name}": kind.region for name, kind in sorted(configuration.data_classes.items())}
    return {
        "database_allowed_sources": ",".join(map(str, configuration.database.allowed_sources)),
        "retention_days": str(configuration.audit.retention_days),
        **regions,
    }
