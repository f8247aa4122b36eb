"""Up and down: the whole fleet from whatever state it is in, to running or to nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from palisade.config import FleetConfiguration, fleet_of
from palisade.console import Steps
from palisade.errors import PalisadeError
from palisade.fleet import Fleet
from palisade.local.access import write_access
from palisade.local.engine import Engine
from palisade.local.hosts import Hosts
from palisade.local.image import HostImage
from palisade.local.keys import make_keys
from palisade.local.machine import read_machine
from palisade.local.places import Places
from palisade.local.processes import write_whole
from palisade.project import Project

UP_STEPS = ("Check this machine", "Host image", "Keys", "Network", "Hosts", "Reach every host")


def up(configuration: FleetConfiguration, project: Project, steps: Steps) -> Fleet:
    """Bring the fleet up.

    Args:
        configuration: The environment; its hosts are the ones that are started.
        project: The checkout, for ``images/host``.
        steps: Where progress is shown; made from :data:`UP_STEPS`.

    Returns:
        The fleet with the SSH configuration that reaches it.
    """
    fleet = fleet_of(configuration)
    places = Places.of(fleet.environment)
    engine = Engine(places)
    image = HostImage(source=project.root / "images" / "host", cache=places.images)
    hosts = Hosts(engine=engine, places=places, image=image, fleet=fleet)
    with steps.step(UP_STEPS[0]):
        machine = read_machine(places.state)
        places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        places.state.chmod(0o700)
        places.runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine.prepare(machine)
    with steps.step(UP_STEPS[1], usually="30 s the first time"):
        image.build()
        if not image.is_imported(engine):
            image.import_into(engine)
    with steps.step(UP_STEPS[2]):
        make_keys(places, [host.name for host in fleet.hosts])
        write_access(fleet, places)
    with steps.step(UP_STEPS[3]):
        engine.define_network(fleet.networks.fleet)
    with steps.step(UP_STEPS[4]), ThreadPoolExecutor(max_workers=4) as pool:
        states = hosts.states()
        list(pool.map(lambda host: hosts.start(host, states.get(host.name)), fleet.hosts))
    with steps.step(UP_STEPS[5]) as step, ThreadPoolExecutor(max_workers=len(fleet.hosts)) as pool:
        failed = dict(zip(fleet.hosts, pool.map(hosts.wait_until_reachable, fleet.hosts), strict=True))
        step.outcome = "; ".join(f"{host.name}: {', '.join(units)}" for host, units in failed.items() if units)
    reachable = fleet.model_copy(update={"ssh_config": places.ssh_config})
    write_whole(places.fleet_file, reachable.to_json())
    return reachable


def down(environment: str) -> None:
    """Take the fleet down."""
    raise PalisadeError(f"not yet: {environment}")
