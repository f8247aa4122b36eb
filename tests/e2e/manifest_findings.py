"""What the scanners of manifests find, in one form, and which findings are accepted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

WAIVERS = Path(__file__).resolve().parents[2] / "policies" / "waivers" / "manifests.yaml"
_KUBE_SCORE_FINE = 10
"""The grade of kube-score that finds nothing to say; 7 is almost fine, 5 a warning, 1 critical."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that one scanner says about one object."""

    scanner: str
    check: str
    object: str
    """``Kind/namespace/name``, or ``Kind/name`` of an object of the whole cluster."""
    said: str = ""


class ManifestWaiver(BaseModel):
    """An accepted finding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scanner: Literal["kube-score", "checkov"]
    check: str
    objects: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=20)
    expires: date
    """The last day (UTC) on which it holds."""


def load_waivers() -> list[ManifestWaiver]:
    """The accepted findings."""
    return [ManifestWaiver.model_validate(entry) for entry in yaml.safe_load(WAIVERS.read_text(encoding="utf-8"))]


def unaccepted(findings: Iterable[Finding], waivers: Iterable[ManifestWaiver], today: date) -> list[Finding]:
    """The findings that no waiver accepts today."""
    accepted = {
        (waiver.scanner, waiver.check, each) for waiver in waivers if today <= waiver.expires for each in waiver.objects
    }
    return sorted(each for each in findings if (each.scanner, each.check, each.object) not in accepted)


def idle(findings: Iterable[Finding], waivers: Iterable[ManifestWaiver], scanner: str) -> list[str]:
    """What the waivers of a scanner accept although it is not found any more."""
    found = {(each.scanner, each.check, each.object) for each in findings}
    return [
        f"{waiver.check}: {each}"
        for waiver in waivers
        for each in waiver.objects
        if waiver.scanner == scanner and (scanner, waiver.check, each) not in found
    ]


def of_kube_score(document: list[dict[str, Any]]) -> Iterator[Finding]:
    """The findings in ``kube-score score --output-format json``, from warnings on."""
    for scored in document:
        metadata = scored["object_meta"]
        parts = (scored["type_meta"]["kind"], metadata.get("namespace"), metadata["name"])
        name = "/".join(part for part in parts if part)
        for check in scored["checks"] or ():
            if not check["skipped"] and check["grade"] < _KUBE_SCORE_FINE:
                said = "; ".join(comment["summary"] for comment in check["comments"] or ())
                yield Finding("kube-score", check["check"]["id"], name, said)


def of_checkov(document: dict[str, Any]) -> Iterator[Finding]:
    """The findings in ``checkov --output json``."""
    for failed in document["results"]["failed_checks"]:
        kind, namespace, *name = failed["resource"].split(".")
        parts = (kind, None if namespace == "default" else namespace, ".".join(name))
        yield Finding("checkov", failed["check_id"], "/".join(part for part in parts if part), failed["check_name"])
