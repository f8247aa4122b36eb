"""What a preview shows of objects that are not there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kubernetes_provider.cluster import NOT_FOUND, Kind
from kubernetes_provider.failures import AnswerError
from kubernetes_provider.values import UNKNOWN

_CHOSEN_BY_SERVER = ("creationTimestamp", "resourceVersion", "uid")
_CHOSEN_FOR_SERVICES = ("clusterIP", "clusterIPs", "healthCheckNodePort")
_MISSING_PART = re.compile(r"not found|no PriorityClass with name", flags=re.IGNORECASE)
_FORBIDDEN = 403


def planned_state(planned: Mapping[str, Any], declared: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """An object as it will be: what only the real run decides is unknown.

    Args:
        planned: What a dry run answers, or the declaration where there was none.
        declared: The declaration.
        kind: Its kind.
    """
    metadata = {**planned.get("metadata", {}), **dict.fromkeys(_CHOSEN_BY_SERVER, UNKNOWN)}
    state = {**planned, "metadata": metadata, "status": UNKNOWN}
    if kind == Kind("v1", "Service") and isinstance(planned.get("spec"), Mapping):
        declared_spec = declared.get("spec") or {}
        chosen = [key for key in _CHOSEN_FOR_SERVICES if key not in declared_spec]
        state["spec"] = {**planned["spec"], **dict.fromkeys(chosen, UNKNOWN)}
    return state


def is_about_missing_part(refusal: AnswerError) -> bool:
    """Whether a dry run failed because something that this run will make is not there yet (a namespace above all)."""
    return refusal.status == NOT_FOUND or (
        refusal.status == _FORBIDDEN and _MISSING_PART.search(refusal.message) is not None
    )
