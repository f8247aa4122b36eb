"""What a run of pulumi did, read from its log of events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANDATORY = "mandatory"
"""The enforcement level of a policy that stops a run."""


@dataclass(frozen=True)
class Outcome:
    """The end of one run.

    Args:
        status: The exit code of pulumi.
        changes: How many resources had each operation (``create``, ``update``, ``same`` ...).
        violations: What the policy pack refused: ``policy: message``.
    """

    status: int
    changes: Mapping[str, int] = field(default_factory=dict)
    violations: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        """How many resources were or would be touched."""
        return sum(count for operation, count in self.changes.items() if operation != "same")


def read_outcome(log: Path, status: int) -> Outcome:
    """What the log of events says; a run that ended early has an empty one.

    Args:
        log: The file that pulumi wrote (``--event-log``).
        status: The exit code of pulumi.
    """
    changes: Mapping[str, int] = {}
    violations: list[str] = []
    for event in _events(log):
        if "summaryEvent" in event:
            changes = event["summaryEvent"].get("resourceChanges") or {}
        policy = event.get("policyEvent", {})
        if policy.get("enforcementLevel") == MANDATORY:
            violations.append(f"{policy['policyName']}: {' '.join(policy['message'].split())}")
    return Outcome(status, changes, tuple(dict.fromkeys(violations)))


def _events(log: Path) -> Iterator[Mapping[str, Any]]:
    if not log.exists():
        return
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return  # the last line of a run that was killed
