"""Where the cluster of an environment is: the fleet's own, or the one that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palisade.config import load_configuration
from palisade.fleet import Fleet
from palisade.project import Project, fleet_state_directory


@dataclass(frozen=True)
class ClusterAccess:
    """How a cluster is reached, as administrator."""

    kubeconfig: Path | None
    """None: as kubectl finds it (KUBECONFIG, ``~/.kube/config``)."""
    context: str

    def __str__(self) -> str:
        return f"{self.kubeconfig or 'KUBECONFIG'}, context {self.context}"


def find_cluster(project: Project, fleet: Fleet) -> ClusterAccess | None:
    """How the cluster of a fleet is reached; None if it has no cluster.

    A local fleet has one when it has a control host; other environments when their configuration has a section
    ``cluster``.

    Raises:
        ConfigurationError: the configuration is refused.
    """
    environment = fleet.environment
    if fleet.has_cluster:
        return ClusterAccess(fleet_state_directory(environment) / "kubeconfig", f"palisade-{environment}")
    if not project.environment_file(environment).is_file():
        return None
    configuration = load_configuration(project, environment)
    if configuration.is_local or configuration.cluster is None:
        return None
    kubeconfig = configuration.cluster.kubeconfig
    return ClusterAccess(kubeconfig.expanduser() if kubeconfig else None, configuration.cluster.context)
