"""Hardens the hosts again after a proof, with the same playbooks and inventory that people use."""

from __future__ import annotations

from palisade.errors import PalisadeError
from palisade.fleet import Fleet, HostGroup
from palisade.playbook import play
from palisade.project import Project

CLUSTER_PLAYBOOK = "playbooks/local_cluster.yml"
VAULT_PLAYBOOK = "playbooks/vault.yml"
DATA_PLAYBOOK = "playbooks/data.yml"


def harden(project: Project, environment: str, *, fleet: Fleet) -> None:
    """Run ``harden.yml`` on every host of an environment, and what makes cluster, Vault and data where they are.

    Args:
        project: The checkout with the playbooks and the inventory.
        environment: The name of the environment.
        fleet: Its hosts.

    Raises:
        ConfigurationError: the environment has no inventory.
        PalisadeError: a playbook failed on a host.
    """
    played = play(project.root, environment, "harden.yml", arguments=further_playbooks(fleet))
    if not played.succeeded:
        raise PalisadeError(
            f"The hosts could not be hardened again, so they are still broken.\n{played.failures}",
            where=played.command,
            remedy=f"{played.command}; or make the fleet anew: palisade local down, then up",
        )


def further_playbooks(fleet: Fleet) -> list[str]:
    """What runs after ``harden.yml``, by what the fleet has."""
    cluster = [CLUSTER_PLAYBOOK] if fleet.has_cluster else []
    if not fleet.in_group(HostGroup.VAULT):
        return cluster
    # The database hosts have their passwords and certificates from Vault.
    return [*cluster, VAULT_PLAYBOOK, *([DATA_PLAYBOOK] if fleet.in_group(HostGroup.DATABASE) else [])]
