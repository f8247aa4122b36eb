"""``replace``: a node leaves the cluster, its host is made anew from the image, hardened, and joins again."""

from __future__ import annotations

from threading import Event

from palisade.config import FleetConfiguration, fleet_of
from palisade.console import Steps
from palisade.errors import ConfigurationError, MachineError, PalisadeError
from palisade.fleet import FleetHost, HostGroup, load_fleet
from palisade.local import ledger
from palisade.local.cluster import Cluster
from palisade.local.engine import Engine
from palisade.local.footprint import forget_containers
from palisade.local.hosts import Hosts
from palisade.local.image import HostImages
from palisade.local.kubernetes import kubectl
from palisade.local.lock import exclusive
from palisade.local.machine import read_machine, runs_as_root
from palisade.local.nodes import volumes
from palisade.local.places import Places
from palisade.local.programs import as_root
from palisade.playbook import play
from palisade.project import Project

DRAIN, REMOVE, START, HARDEN, JOIN = REPLACE_STEPS = (
    "Drain the node",
    "Remove the host",
    "Start it anew",
    "Harden it",
    "Join the cluster",
)
DRAIN_SECONDS = 120
"""How long pods may take to leave; a registry pod's own grace period is shorter."""


def replace(configuration: FleetConfiguration, project: Project, name: str, steps: Steps, *, force: bool) -> None:
    """Replace the host of one node; its name, address and keys stay, its disks do not.

    Args:
        configuration: The environment.
        project: The checkout.
        name: The host.
        steps: Where progress is shown; made from :data:`REPLACE_STEPS`.
        force: Whether to go on although pods are lost: those without a controller, and those of a node that is dead.

    Raises:
        ConfigurationError: the host is not a node of this fleet's cluster, or the fleet was made from something else.
        MachineError: not root.
        PalisadeError: the fleet is not up, pods do not leave, a program failed, or the new host does not answer.
    """
    host = _node(configuration, name)
    places = Places.of(configuration.environment)
    if not runs_as_root():
        raise MachineError("Hosts can only be replaced by root.", remedy=as_root())
    if not places.fleet_file.exists() or not ledger.is_entered(places):
        raise PalisadeError(
            f"The fleet {configuration.environment} is not up.",
            where=str(places.state),
            remedy=f"palisade local up --environment {configuration.environment}",
        )
    images = HostImages.of(project.root / "images", places.images)
    machine = read_machine(places.state)
    fleet = fleet_of(configuration)
    hosts = Hosts(engine=Engine(places), places=places, images=images, fleet=fleet, machine=machine)
    with exclusive(places.lock, waiting=lambda _: None):
        found = hosts.engine.found_hosts()
        hosts.refuse_others({other: state for other, state in found.items() if other != name})
        with steps.step(DRAIN):
            _drain(places, name, force=force)
        with steps.step(REMOVE):
            identity = hosts.engine.identity(name)
            hosts.engine.remove_host(name, volumes(host))
            forget_containers(identity)
        with steps.step(START) as step:
            hosts.start(host, None)
            _forget_neighbour(hosts, host)
            failed = hosts.wait_until_reachable(host, Event())
            step.outcome = f"degraded, failed units: {', '.join(failed)}" if failed else ""
        with steps.step(HARDEN, usually="40 s") as step:
            played = play(
                project.root, fleet.environment, "harden.yml", arguments=["--limit", name], on_task=step.detail
            )
            if not played.succeeded:
                raise PalisadeError(f"{name} could not be hardened.\n{played.failures}", where=played.command)
            step.outcome = f"{played.changed} changes"
        with steps.step(JOIN, usually="30 s") as step:
            step.outcome = Cluster(load_fleet(places.fleet_file), places, project.root).make(step, untouched=False)


def _node(configuration: FleetConfiguration, name: str) -> FleetHost:
    fleet = fleet_of(configuration)
    nodes = {host.name: host for host in fleet.in_group(HostGroup.REGISTRY)} if fleet.has_cluster else {}
    if name not in nodes:
        raise ConfigurationError(
            f"{name} is not a node of the fleet's own cluster.",
            where=f"Pulumi.{fleet.environment}.yaml: fleet.hosts",
            allowed=", ".join(nodes) or "none: the fleet has no host of the group control",
        )
    return nodes[name]


def _forget_neighbour(hosts: Hosts, host: FleetHost) -> None:
    """Let the other hosts ask where the address is: the new host's interface is another one than before."""
    for other in hosts.fleet.hosts:
        if other != host:
            hosts.engine.inside(other.name, ("ip", "neighbour", "flush", "to", str(host.address)))


def _drain(places: Places, name: str, *, force: bool) -> None:
    options = ["--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={DRAIN_SECONDS}s"]
    if force:
        options += ["--force", "--disable-eviction", "--grace-period=0"]
    there = kubectl(places, "get", "node", name, "--ignore-not-found", "--output=name")
    if there.succeeded and not there.output.strip():
        return
    for arguments in (("drain", name, *options), ("delete", "node", name, "--wait=true")):
        finished = kubectl(places, *arguments)
        if not finished.succeeded:
            remedy = f"look after these pods; or lose them: palisade local replace {name} --force"
            raise finished.failure(remedy=None if force else remedy)
