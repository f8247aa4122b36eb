"""The fleet's own Kubernetes: made on its hosts by the role ``local_cluster``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from palisade.console import Step
from palisade.errors import PalisadeError
from palisade.fleet import Fleet
from palisade.local.cluster_keys import make_cluster_keys
from palisade.local.container_images import INDEX
from palisade.local.contents import key_of
from palisade.local.kubernetes import READY, node_states
from palisade.local.places import Places
from palisade.local.processes import write_whole
from palisade.playbook import play

PLAYBOOK = "playbooks/local_cluster.yml"
SOURCES = ("roles/local_cluster", "templates/local_cluster")
"""What of the checkout the playbook brings to the hosts."""


@dataclass(frozen=True)
class Cluster:
    """The Kubernetes of one fleet.

    Args:
        fleet: The fleet as its hosts are reached; one of them is of the group control.
        places: Its places; programs and images are there.
        checkout: The project with the playbook.
    """

    fleet: Fleet
    places: Places
    checkout: Path

    def make(self, step: Step, *, untouched: bool) -> str:
        """Have the cluster on hosts that are up: keys first, then the playbook.

        Args:
            step: Shows the task that runs.
            untouched: Whether the hosts were up before, with all their units: then the playbook only runs if
                something that the cluster is made from has changed, or if a node is not ready.

        Returns:
            What had to be done, in words.

        Raises:
            ConfigurationError: the environment has no inventory.
            PalisadeError: the playbook failed on a host.
        """
        make_cluster_keys(self.places.state, self.fleet)
        key = self._key()
        if untouched and self._recorded_key() == key and self._is_ready():
            return "already up"
        self.places.cluster_record.unlink(missing_ok=True)
        played = play(self.checkout, self.fleet.environment, PLAYBOOK, on_task=step.detail)
        if not played.succeeded:
            raise PalisadeError(
                f"The cluster could not be made.\n{played.failures}",
                where=played.command,
                remedy=f"palisade local up --environment {self.fleet.environment}, which goes on where it stopped",
            )
        write_whole(self.places.cluster_record, f"{key}\n")
        return f"{played.changed} changes"

    def _is_ready(self) -> bool:
        return set(node_states(self.fleet, self.places).values()) == {READY}

    def _recorded_key(self) -> str | None:
        record = self.places.cluster_record
        return record.read_text(encoding="ascii").strip() if record.exists() else None

    def _key(self) -> str:
        """Changes whenever something does that the playbook brings to the hosts."""
        programs = [(path.name, path.stat()) for path in sorted(self.places.programs.iterdir())]
        facts = [
            self.fleet.to_json(),
            (self.checkout / PLAYBOOK).read_text(encoding="utf-8"),
            *(key_of(self.checkout / name) for name in SOURCES),
            key_of(self.places.cluster_keys),
            *(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in programs),
            *(path.read_text(encoding="utf-8") for path in sorted(self.places.container_images.glob(f"*/{INDEX}"))),
        ]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()
