"""The configuration file gets the digests; every other character of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from palisade.errors import ConfigurationError
from palisade.images.pins import with_pins

ROOT = Path(__file__).parents[3]
ENVOY = f"registry.example.com/palisade/envoy:1@sha256:{'1' * 64}"
OPA = f"registry.example.com/palisade/opa:1@sha256:{'2' * 64}"
OLD = f"registry.example.com/palisade/envoy:0@sha256:{'3' * 64}"
PINS = {"envoy": ENVOY, "opa": OPA}
HEAD = "# first\nconfig:\n  palisade:fleet:\n    exposure: dmz # kept\n"
TAIL = "    state: {}\n\n# last\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    images: {} # why\n", f"    images: # why\n      envoy: {ENVOY}\n      opa: {OPA}\n"),
        ("    images: {}\n", f"    images:\n      envoy: {ENVOY}\n      opa: {OPA}\n"),
        (f"    images: {{envoy: '{OLD}'}}\n", f"    images:\n      envoy: {ENVOY}\n      opa: {OPA}\n"),
        (
            f"    images:\n      # the door\n      envoy: {OLD} # old\n\n",
            f"    images:\n      # the door\n      envoy: {ENVOY} # old\n      opa: {OPA}\n\n",
        ),
        (
            f'    images:\n        other: x:1\n        opa: "{OPA}"\n',
            f'    images:\n        other: x:1\n        opa: "{OPA}"\n        envoy: {ENVOY}\n',
        ),
        (
            "    image_sources: {repository: a, tag: b} # here\n",
            "    image_sources: {repository: a, tag: b} # here\n"
            f"    images:\n      envoy: {ENVOY}\n      opa: {OPA}\n",
        ),
        (
            "    image_sources:\n      repository: a\n      tag: b\n\n    # next\n",
            "    image_sources:\n      repository: a\n      tag: b\n"
            f"    images:\n      envoy: {ENVOY}\n      opa: {OPA}\n\n    # next\n",
        ),
    ],
)
def test_only_the_references_change(before: str, after: str) -> None:
    changed = with_pins(HEAD + before + TAIL, PINS, "Pulumi.x.yaml")
    assert changed == HEAD + after + TAIL
    assert with_pins(changed, PINS, "Pulumi.x.yaml") == changed, "the second time nothing changes"


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_shipped_configurations_can_be_pinned(environment: str) -> None:
    text = (ROOT / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8")
    changed = with_pins(text, PINS, "x")
    before, after = (yaml.safe_load(one)["config"]["palisade:fleet"] for one in (text, changed))
    assert after == {**before, "images": {**before["images"], **PINS}}
    kept = set(changed.splitlines())
    assert [line for line in text.splitlines() if line not in kept and not line.startswith("    images:")] == []


def test_the_last_line_needs_no_end() -> None:
    text = HEAD + "    images:\n      opa: old"
    assert with_pins(text, PINS, "x") == HEAD + f"    images:\n      opa: {OPA}\n      envoy: {ENVOY}"


@pytest.mark.parametrize(
    ("section", "problem"),
    [("    images:\n", "The section images has no entries"), ("", "There is no section image_sources")],
)
def test_what_cannot_be_changed_is_refused(section: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        with_pins(HEAD + section + TAIL, PINS, "Pulumi.x.yaml")
