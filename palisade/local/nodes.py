"""Hosts of the local cluster and of Vault: what they have besides what every host has."""

from __future__ import annotations

from collections.abc import Mapping

from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.local.places import Places

VOLUMES: Mapping[HostGroup, Mapping[str, str]] = {
    HostGroup.CONTROL: {"etcd": "/var/lib/etcd"},
    HostGroup.REGISTRY: {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet"},
}
"""Directories that lie on this machine's own file system: an overlay cannot lie on another one, and etcd waits for the
disk at every write."""
PROGRAMS = "/opt/palisade/bin"
"""Where such a host finds Kubernetes, OpenBao and what else Palisade got ready; read-only."""
IMAGES = "/opt/palisade/images"
"""Where such a host finds the images that the cluster itself runs from; read-only."""


def is_node(fleet: Fleet, host: FleetHost) -> bool:
    """Whether the host is part of the fleet's own cluster."""
    return fleet.has_cluster and host.group in VOLUMES


def volumes(host: FleetHost) -> tuple[str, ...]:
    """The names of the host's volumes in the engine; they are there if the host is part of a cluster."""
    return tuple(_volume(host, name) for name in VOLUMES.get(host.group, {}))


def runs_programs(fleet: Fleet, host: FleetHost) -> bool:
    """Whether the host runs programs that Palisade got ready.

    Nodes do. In a fleet with a Vault every host but the bastion does: the server, or the agent for certificates.
    """
    has_vault = bool(fleet.in_group(HostGroup.VAULT))
    return is_node(fleet, host) or (has_vault and host.group is not HostGroup.BASTION)


def mount_options(fleet: Fleet, host: FleetHost, places: Places) -> tuple[str, ...]:
    """What podman is told to mount into a host."""
    own = VOLUMES.get(host.group, {}) if is_node(fleet, host) else {}
    return (
        *(f"--volume={_volume(host, name)}:{directory}" for name, directory in own.items()),
        *([f"--volume={places.programs}:{PROGRAMS}:ro"] if runs_programs(fleet, host) else []),
        *([f"--volume={places.container_images}:{IMAGES}:ro"] if is_node(fleet, host) else []),
    )


def _volume(host: FleetHost, name: str) -> str:
    return f"{host.name}-{name}"
