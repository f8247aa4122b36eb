"""A sound configuration and changed copies of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from palisade.project import Project

PROJECT_ROOT = Path(__file__).resolve().parents[3]

SOUND: dict[str, Any] = {
    "exposure": "dmz",
    "traffic": {"peak_rps": 5000, "average_rps": 1500},
    "audit": {"record_bytes": 1536, "retention_days": 365, "replicas": 2, "compression_ratio": 4},
    "tls": {"minimum_version": "1.2", "certificate_ttl_hours": 24, "renew_before_hours": 8},
    "edge": {"names": ["api.palisade.example"]},
    "networks": {"fleet": "10.20.0.0/24", "operators": ["10.9.0.0/24"], "clients": ["10.0.0.0/8", "203.0.113.0/24"]},
    "hosts": [
        {"name": "bastion-1", "group": "bastion", "address": "10.20.0.10"},
        {"name": "registry-1", "group": "registry", "address": "10.20.0.21"},
        {"name": "db-1", "group": "database", "address": "10.20.0.51"},
    ],
    "database": {"allowed_sources": ["10.20.0.0/24"]},
    "registry": {"minimum_nodes": 2},
    "images": {},
    "data_classes": {"audit": {"allowed_regions": ["eu-central-1"], "region": "eu-central-1"}},
}


class _Removed:
    def __repr__(self) -> str:
        return "removed"  # part of the names of tests, which must be the same in every process


REMOVED = _Removed()
"""As a value: the key is taken out."""


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The sound configuration with other values at these paths (``hosts.0.name``)."""
    document = copy.deepcopy(SOUND)
    for path, value in changes:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        place: Any = document
        for part in parents:
            place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return document


WriteProject = Callable[..., Project]
"""The fixture ``write_project``."""
