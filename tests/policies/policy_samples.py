"""The samples of ``policies/samples``: manifests that each rule allows or refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from palisade.policies.settings import PolicySettings

SAMPLES = Path(__file__).resolve().parents[2] / "policies/samples"
REGIONS = {"audit": ("eu-central-1", "eu-west-1"), "metadata": ("eu-central-1",)}
SETTINGS = {
    "prod": PolicySettings(local=False, regions=REGIONS),
    "local": PolicySettings(local=True, regions=REGIONS),
}
"""What the samples are judged by; a sample names its environment with an annotation, without one it is prod."""


@dataclass(frozen=True, eq=False)
class Sample:
    rule: str
    is_allowed: bool
    manifest: Mapping[str, Any]

    @property
    def refused_by(self) -> str | None:
        """The only rule that refuses it."""
        return None if self.is_allowed else self.rule

    @property
    def title(self) -> str:
        return str(self.manifest["metadata"]["annotations"]["palisade.dev/sample"])

    @property
    def environment(self) -> str:
        return str(self.manifest["metadata"]["annotations"].get("palisade.dev/environment", "prod"))

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def pulumi_type(self) -> str:
        """The type that the resource has in a Pulumi program."""
        version = str(self.manifest["apiVersion"])
        group = version if "/" in version else f"core/{version}"
        return f"kubernetes:{group.replace('.k8s.io/', '/', 1)}:{self.manifest['kind']}"

    def __repr__(self) -> str:
        return f"{self.rule}-{'allowed' if self.is_allowed else 'refused'}-{self.title.replace(' ', '_')}"


@cache
def load_samples() -> tuple[Sample, ...]:
    return tuple(
        Sample(path.parent.name, path.stem == "allowed", manifest)
        for path in sorted(SAMPLES.glob("*/*.yaml"))
        for manifest in yaml.load_all(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    )
