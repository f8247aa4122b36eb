"""The policy pack's checks of what objects say about the data that they hold. Each yields what breaks the rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from palisade.policies.manifests import Manifest, name, section
from palisade.policies.rules import Rule
from palisade.policies.settings import SETTINGS_OBJECT, PolicySettings

_RETENTION_LABEL = "palisade.dev/retention-days"
_CLASS_LABEL = "palisade.dev/data-class"
_REGION_LABEL = "palisade.dev/region"
_REGION_KEY = "region."


def audit_retention(manifest: Manifest, rule: Rule, _: PolicySettings) -> Iterator[str]:
    """Retention below the minimum, in the fleet's settings or on a label."""
    declared = {}
    if _is_settings(manifest):
        declared["retention_days"] = section(manifest, "data").get("retention_days", "")
    labels = section(manifest, "metadata", "labels")
    if _RETENTION_LABEL in labels:
        declared[f"label {_RETENTION_LABEL}"] = labels[_RETENTION_LABEL]
    for place, days in declared.items():
        if not _is_enough(days, int(rule.parameters["minimum_days"])):
            yield f"{place}: {days!r} is too short or not a number of days"


def data_regions(manifest: Manifest, _: Rule, settings: PolicySettings) -> Iterator[str]:
    """Data in a region that its class forbids, or of a class that nobody has described."""
    if _is_settings(manifest):
        data = section(manifest, "data")
        declared = {key.removeprefix(_REGION_KEY): data[key] for key in data if key.startswith(_REGION_KEY)}
        for unknown in sorted(set(declared) - set(settings.regions)):
            yield f"{_REGION_KEY}{unknown} is of a data class that is not known"
        for data_class, regions in settings.regions.items():
            if declared.get(data_class) not in regions:
                yield f"{_REGION_KEY}{data_class}: {declared.get(data_class)!r} is missing or forbidden"
    labels = section(manifest, "metadata", "labels")
    data_class = labels.get(_CLASS_LABEL, "")
    if data_class and labels.get(_REGION_LABEL) not in settings.regions.get(data_class, ()):
        region = labels.get(_REGION_LABEL)
        yield f"label {_REGION_LABEL}: {region!r} is missing or forbidden for data class {data_class}"


def _is_settings(manifest: Manifest) -> bool:
    return manifest.get("kind") == "ConfigMap" and name(manifest) == SETTINGS_OBJECT


def _is_enough(days: Any, minimum: int) -> bool:
    text = str(days)
    return text.isascii() and text.isdigit() and len(text) <= len("999999") and int(text) >= minimum
