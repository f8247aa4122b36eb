"""What a run did, from events as pulumi 3.250 writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stack_samples import URN

from palisade.stack.contents import PendingOperation
from palisade.stack.outcome import Outcome, read_outcome


def log(path: Path, *events: Any, end: str = "") -> Path:
    file = path / "events.json"
    file.write_text("".join(json.dumps(event) + "\n" for event in events) + end)
    return file


def policy(level: str, message: str = "has no digest") -> dict[str, Any]:
    return {"policyEvent": {"policyName": "image-digest", "message": message, "enforcementLevel": level}}


def test_the_last_summary_counts(tmp_path: Path) -> None:
    preview = {"summaryEvent": {"isPreview": True, "resourceChanges": {"create": 9}}}
    update = {"summaryEvent": {"isPreview": False, "resourceChanges": {"create": 2, "update": 1, "same": 40}}}
    outcome = read_outcome(log(tmp_path, {"diagnosticEvent": {}}, preview, update), 0)
    assert outcome == Outcome(0, {"create": 2, "update": 1, "same": 40})
    assert outcome.changed == 3


def test_only_what_a_policy_forbids_is_a_violation_and_is_said_once(tmp_path: Path) -> None:
    file = log(tmp_path, policy("mandatory"), policy("advisory", "is long"), policy("mandatory", "has  no\ndigest"))
    assert read_outcome(file, 1).violations == ("image-digest: has no digest",)


def test_a_killed_run_has_no_summary(tmp_path: Path) -> None:
    assert read_outcome(log(tmp_path, end='{"summaryEv'), -9) == Outcome(-9)
    assert read_outcome(tmp_path / "never written", -9) == Outcome(-9)


def test_a_pending_operation_is_said_in_words() -> None:
    operation = PendingOperation("creating", URN, "palisade-agents")
    assert operation.words == "creating kubernetes:core/v1:Namespace palisade-agents"
