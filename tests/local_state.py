"""What commands leave of an environment in the user's state, as far as the stack reads it."""

from __future__ import annotations

import json
from pathlib import Path

from palisade.bundle.build import BUNDLE_FILE, KEY_FILE

ROOT = Path(__file__).resolve().parents[1]
DIGEST = f"sha256:{'5' * 64}"
"""Of every image of the local fleet that the tests pretend to have."""
AUTHORITY = "-----BEGIN CERTIFICATE-----\nof the tests\n-----END CERTIFICATE-----\n"
"""Who has signed the certificate of Vault."""


def write_local_state(state: Path) -> None:
    """What ``palisade local up`` leaves of a local fleet, below an ``XDG_STATE_HOME``."""
    fleet = state / "palisade" / "fleets" / "local"
    index = json.dumps({"manifests": [{"digest": DIGEST}]})
    for recipe in (ROOT / "images").glob("*/Containerfile"):
        place = fleet / "images" / recipe.parent.name
        place.mkdir(parents=True)
        (place / "index.json").write_text(index, encoding="utf-8")
    (fleet / "vault").mkdir()
    (fleet / "vault" / "ca.crt").write_text(AUTHORITY, encoding="ascii")


def write_authority(state: Path, environment: str) -> None:
    """What an operator lays ready for ``playbooks/vault.yml``, as far as whoever asks that Vault needs it."""
    host = state / "palisade" / "fleets" / environment / "vault" / "hosts" / "vault-1"
    host.mkdir(parents=True)
    (host / "ca.crt").write_text(AUTHORITY, encoding="ascii")


def write_bundle(state: Path, environment: str) -> None:
    """What ``palisade bundle build`` leaves; enough to declare a registry, and nothing that OPA would take."""
    fleet = state / "palisade" / "fleets" / environment
    fleet.mkdir(parents=True, exist_ok=True)
    (fleet / BUNDLE_FILE).write_bytes(b"a bundle")
    (fleet / KEY_FILE).write_text("a key\n", encoding="ascii")
