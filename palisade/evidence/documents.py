"""The two JSON documents of a bundle: the results, and the control registry that explains them."""

from __future__ import annotations

import json
from typing import Any

from palisade.controls import ControlRegistry
from palisade.evidence.summary import summarise
from palisade.evidence.values import plain
from palisade.results import CheckResult, VerificationRun

DOCUMENT_VERSION = 1


def results_document(run: VerificationRun) -> bytes:
    """``results.json``: the run's header and one record per control and target, complete and unshortened."""
    summary = summarise(run)
    return _encode(
        {
            "version": DOCUMENT_VERSION,
            "environment": run.environment,
            "commit": run.commit,
            "started": run.started.isoformat(),
            "duration_seconds": run.duration_seconds,
            "selection": run.selection.model_dump(mode="json") if run.selection else None,
            "counts": {
                "hosts": summary.hosts,
                "clusters": int(summary.cluster),
                "controls": summary.controls,
                "checks": summary.checks,
                **{status.value: count for status, count in summary.counts.items()},
            },
            "results": [
                _record(result) for result in sorted(run.results, key=lambda result: (result.control, result.target))
            ],
        }
    )


def controls_document(registry: ControlRegistry) -> bytes:
    """``controls.json``: the control registry as it was used."""
    controls = [
        {**control.model_dump(mode="json", exclude={"expected"}), "expected": plain(control.expected)}
        for control in registry.controls
    ]
    return _encode({"version": DOCUMENT_VERSION, "controls": controls})


def _record(result: CheckResult) -> dict[str, Any]:
    return {
        **result.model_dump(mode="json", exclude={"expected", "observed"}),
        "expected": plain(result.expected),
        "observed": {"file": plain(result.observed.file), "runtime": plain(result.observed.runtime)},
    }


def _encode(document: dict[str, Any]) -> bytes:
    # ASCII only: bytes that were not text on the host (lone surrogates) survive as escapes.
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode("ascii")
