"""The manifests of every environment as it is shipped, with its registry; and of one that collects audit records."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from palisade.config import CONFIGURATION_KEY
from tests.local_state import write_authority, write_bundle, write_local_state
from tests.pins import pinned_project, pins

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "local", "prod", "staging")
SINKS = {"s3": {"networks": ["203.0.113.0/24"], "bucket": "audit-example", "region": "eu-central-1"}}
"""No environment is shipped with a sink, and without one nothing collects."""


def render_environments(place: Path) -> Mapping[str, str]:
    """YAML by the name of the environment; ``sinks`` is prod with a sink and with control nodes."""
    state = place / "state"
    write_local_state(state)
    for environment in ENVIRONMENTS:
        write_bundle(state, environment)
        write_authority(state, environment)
    projects = {name: (name, pinned_project(ROOT, name, place / name)) for name in ENVIRONMENTS if name != "local"}
    projects |= {"local": ("local", ROOT), "sinks": ("prod", _with_sinks("prod", place / "sinks"))}
    return {name: _rendered(environment, project, state) for name, (environment, project) in projects.items()}


def _with_sinks(environment: str, place: Path) -> Path:
    file = pinned_project(ROOT, environment, place) / f"Pulumi.{environment}.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    fleet = document["config"][CONFIGURATION_KEY]
    fleet["audit"]["sinks"] = SINKS
    fleet["cluster"]["control_plane"] = "nodes"  # there is the most to look at
    fleet["images"] = pins(environment, fleet)
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return place


def _rendered(environment: str, project: Path, state: Path) -> str:
    done = subprocess.run(
        ["palisade", "render", environment],
        cwd=project,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
