"""Where the project and the user's files are.

Three places, all found here and nowhere else: the checkout (what is versioned), the user's cache (what can be made
again: tools, images) and the user's state (what a running local fleet needs: keys, the fleet object).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import ConfigurationError

MARKER = "Pulumi.yaml"


@dataclass(frozen=True)
class Project:
    """A checkout of a Palisade project, recognised by its ``Pulumi.yaml``."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The project that contains ``start`` (the working directory unless told).

        ``PALISADE_PROJECT`` overrides the search, for callers that run elsewhere (a Molecule scenario, a pipeline).

        Raises:
            ConfigurationError: no ``Pulumi.yaml`` in the directory or any of its parents.
        """
        override = os.environ.get("PALISADE_PROJECT")
        origin = Path(override) if override else (start or Path.cwd())
        for directory in (origin.resolve(), *origin.resolve().parents):
            if (directory / MARKER).is_file():
                return cls(root=directory)
        raise ConfigurationError(
            "This is not a Palisade project.",
            where=str(origin),
            allowed=f"a directory with {MARKER}, or one below it",
            remedy="change into the checkout, or set PALISADE_PROJECT to it",
        )

    def environment_file(self, environment: str) -> Path:
        """The configuration file of an environment (``Pulumi.<environment>.yaml``)."""
        return self.root / f"Pulumi.{environment}.yaml"

    def environments(self) -> list[str]:
        """The names of the environments that have a configuration file, sorted."""
        return sorted(
            path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in self.root.glob("Pulumi.*.yaml")
        )


def cache_directory() -> Path:
    """What can be made again: ``$XDG_CACHE_HOME/palisade`` (XDG Base Directory Specification)."""
    return _xdg("XDG_CACHE_HOME", ".cache")


def state_directory() -> Path:
    """What a running fleet needs, keys included: ``$XDG_STATE_HOME/palisade``."""
    return _xdg("XDG_STATE_HOME", ".local/state")


def fleet_state_directory(environment: str) -> Path:
    """The state of one local fleet: its SSH keys, ``ssh_config`` and ``fleet.json``."""
    return state_directory() / "fleets" / environment


def _xdg(variable: str, fallback: str) -> Path:
    configured = os.environ.get(variable)
    base = Path(configured) if configured else Path.home() / fallback
    return base / "palisade"
