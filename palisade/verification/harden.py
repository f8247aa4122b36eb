"""Hardens the hosts again after a proof, with the same playbooks and inventory that people use."""

from __future__ import annotations

from palisade.errors import PalisadeError
from palisade.playbook import play
from palisade.project import Project

CLUSTER_PLAYBOOK = "playbooks/local_cluster.yml"


def harden(project: Project, environment: str, *, cluster: bool) -> None:
    """Run ``harden.yml`` on every host of an environment, and what makes the cluster on those that carry one.

    Args:
        project: The checkout with the playbooks and the inventory.
        environment: The name of the environment.
        cluster: Whether a cluster runs on hosts of the fleet.

    Raises:
        ConfigurationError: the environment has no inventory.
        PalisadeError: a playbook failed on a host.
    """
    played = play(project.root, environment, "harden.yml", arguments=[CLUSTER_PLAYBOOK] if cluster else [])
    if not played.succeeded:
        raise PalisadeError(
            f"The hosts could not be hardened again, so they are still broken.\n{played.failures}",
            where=played.command,
            remedy=f"{played.command}; or make the fleet anew: palisade local down, then up",
        )
