"""``up``: from whatever state the fleet is in to one that is running and reached over SSH."""

from __future__ import annotations

from palisade.config import FleetConfiguration, fleet_of
from palisade.console import Step, Steps
from palisade.fleet import Fleet, HostGroup
from palisade.local import ledger
from palisade.local.access import write_access
from palisade.local.cluster import Cluster
from palisade.local.cluster_programs import needed_tools, provide_programs
from palisade.local.concurrency import for_each
from palisade.local.container_images import container_images, provide_images
from palisade.local.declared import local_fleet
from palisade.local.engine import Engine
from palisade.local.hosts import ALREADY_UP, Hosts
from palisade.local.image import HostImages
from palisade.local.keys import make_keys
from palisade.local.lock import exclusive
from palisade.local.machine import Machine, read_machine
from palisade.local.own_addresses import keep_addresses
from palisade.local.places import Places
from palisade.local.processes import write_whole
from palisade.local.programs import install
from palisade.local.requirements import Needs, require
from palisade.local.vault_keys import make_vault_keys
from palisade.project import Project
from palisade.registry.model import read_apis
from palisade.tools import ensure, require_toolchain, step_titles

CHECK, KEYS, VAULT_KEYS, IMAGE, CONTAINER_IMAGES, START, REACH, CLUSTER = (
    "Check this machine",
    "SSH keys",
    "Keys of Vault",
    "Host image",
    "Images of the cluster",
    "Start the hosts",
    "Reach every host",
    "Kubernetes",
)


def up_steps(configuration: FleetConfiguration, project: Project) -> list[str]:
    """The steps of :func:`up` for this environment, in order.

    Raises:
        ConfigurationError: a definition in ``tools/`` is refused.
    """
    fleet = fleet_of(configuration)
    needed = needed_tools(fleet)
    tools = step_titles(project, needed) if needed else []
    keys = [KEYS, *([VAULT_KEYS] if fleet.in_group(HostGroup.VAULT) else [])]
    if not fleet.has_cluster:
        return [CHECK, *tools, *keys, IMAGE, START, REACH]
    return [CHECK, *tools, *keys, IMAGE, CONTAINER_IMAGES, START, REACH, CLUSTER]


def up(configuration: FleetConfiguration, project: Project, steps: Steps, *, may_install: bool = True) -> Fleet:
    """Bring the fleet up, or go on where an earlier call stopped. A fleet that is up stays as it is.

    Args:
        configuration: The environment; its hosts are the ones that are started.
        project: The checkout, for ``images``, ``tools`` and the playbook of the cluster.
        steps: Where progress is shown; made from :func:`up_steps`.
        may_install: Whether missing Debian packages may be installed.

    Returns:
        The fleet with the SSH configuration that reaches it.

    Raises:
        ConfigurationError: the environment is not a local fleet, or the fleet exists and was made from something else.
        MachineError: this machine cannot run the fleet; nothing was started.
        PalisadeError: a program or its build failed, or a host does not answer.
    """
    fleet = fleet_of(configuration, read_apis(configuration.environment).upstream_ports)
    places = Places.of(fleet.environment)
    tools = needed_tools(fleet)
    with steps.step(CHECK) as step:
        if tools:
            require_toolchain(project, tools)
        machine = _check(configuration, places, step, may_install=may_install)
    programs = ensure(project, tools, steps) if tools else {}
    images = HostImages.of(project.root / "images", places.images)
    hosts = Hosts(engine=Engine(places), places=places, images=images, fleet=fleet, machine=machine)
    with exclusive(places.lock, waiting=lambda holder: step.note(_waiting(places, holder))):
        ledger.enter(places)
        places.state.mkdir(parents=True, exist_ok=True)
        places.state.chmod(0o700)
        hosts.engine.prepare(machine)
        with steps.step(KEYS):
            make_keys(places, [host.name for host in fleet.hosts])
        if fleet.in_group(HostGroup.VAULT):
            with steps.step(VAULT_KEYS):
                make_vault_keys(places.vault, fleet)
        found = hosts.engine.found_hosts()
        hosts.refuse_others(found)
        write_access(fleet, places)
        with steps.step(IMAGE, usually="30 s the first time") as step:
            step.outcome = _grouped({image.kind: image.provide(hosts.engine) for image in images.needed(fleet)})
        if programs:
            provide_programs(programs, places)
        if fleet.has_cluster:
            with steps.step(CONTAINER_IMAGES, usually="a minute the first time") as step:
                step.outcome = _container_images(hosts, project)
        with steps.step(START) as step:
            hosts.engine.define_network(fleet.networks.fleet)
            done = for_each(fleet.hosts, lambda host, _: hosts.start(host, found.get(host.name)))
            step.outcome = _grouped({host.name: word for host, word in zip(fleet.hosts, done, strict=True)})
            if fleet.has_cluster:
                keep_addresses(places.network, fleet)
        with steps.step(REACH, usually="4 s") as step:
            failed = for_each(fleet.hosts, hosts.wait_until_reachable)
            step.outcome = "; ".join(
                f"{host.name} is degraded, failed units: {', '.join(units)}"
                for host, units in zip(fleet.hosts, failed, strict=True)
                if units
            )
        reachable = fleet.model_copy(update={"ssh_config": places.ssh_config})
        write_whole(places.fleet_file, reachable.to_json())
        if fleet.has_cluster:
            untouched = set(done) == {ALREADY_UP} and not any(failed)
            with steps.step(CLUSTER, usually="60 s") as step:
                step.outcome = Cluster(reachable, places, project.root).make(step, untouched=untouched)
    return reachable


def _container_images(hosts: Hosts, project: Project) -> str:
    places = hosts.places
    images = container_images(project.root / "images", node=hosts.images.node, programs=places.programs)
    return _grouped(provide_images(images, hosts.engine, places.container_images))


def _check(configuration: FleetConfiguration, places: Places, step: Step, *, may_install: bool) -> Machine:
    local = local_fleet(configuration)
    machine = read_machine(places.state)
    runs = machine.root and places.fleet_file.exists() and ledger.is_entered(places)
    needs = Needs(
        network=configuration.networks.fleet,
        interface=places.network,
        memory_mib=0 if runs else local.memory_mib,
        disk_mib=0 if runs else local.disk_gib * 1024,
        names=not runs,
        may_install=may_install,
    )
    require(machine, needs)
    if machine.missing_packages:
        step.note(f"Installing Debian packages: {', '.join(machine.missing_packages)}")
        install(machine.missing_packages)
        machine = read_machine(places.state)
        require(machine, needs)
    return machine


def _waiting(places: Places, holder: str) -> str:
    who = f"process {holder}" if holder else "another process"
    return f"Another palisade local works on the fleet {places.environment} ({who}); waiting for it to end."


def _grouped(words: dict[str, str]) -> str:
    groups: dict[str, list[str]] = {}
    for name, word in words.items():
        groups.setdefault(word, []).append(name)
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items())
