"""``down``: from whatever state the fleet is in to nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from palisade.console import Steps
from palisade.errors import MachineError
from palisade.local import cgroups, ledger
from palisade.local.engine import Engine
from palisade.local.footprint import forget_containers
from palisade.local.image import remove_built_images
from palisade.local.lock import exclusive
from palisade.local.machine import read_machine, runs_as_root
from palisade.local.mounts import mounts_below, remove_tree, unmount
from palisade.local.own_addresses import forget_addresses
from palisade.local.places import Places
from palisade.local.processes import run
from palisade.local.programs import as_root, install_line

REMOVE, PUT_BACK = DOWN_STEPS = ("Remove the hosts", "Put the machine back")


@dataclass(frozen=True)
class Outcome:
    """What ``down`` did not remove.

    Args:
        left: Shared things of the machine that somebody else has begun to use, and why.
        kept: Directories that make the next ``up`` faster.
    """

    left: tuple[str, ...]
    kept: tuple[Path, ...]


def down(environment: str, steps: Steps, *, purge: bool = False) -> Outcome:
    """Remove the hosts, their disks, their network and their keys, and put the machine back as it was.

    Nothing to do is not an error: a second call finds nothing and says so.

    Args:
        environment: The name of the fleet.
        steps: Where progress is shown; made from :data:`DOWN_STEPS`.
        purge: Whether the host images go as well; the built ones stay while another fleet of this user is there.

    Raises:
        MachineError: not root, or a program that removing takes is not there.
        PalisadeError: something cannot be removed.
    """
    places = Places.of(environment)
    engine = Engine(places)
    if not runs_as_root():
        raise MachineError("Hosts can only be removed by root.", remedy=as_root())
    machine = read_machine(places.state)
    with exclusive(places.lock, waiting=lambda _: None):
        with steps.step(REMOVE) as step:
            if engine.exists:
                if machine.missing_packages:
                    raise MachineError(
                        f"Not installed, and needed to remove the hosts: {', '.join(machine.missing_packages)}.",
                        remedy=install_line(machine.missing_packages),
                    )
                ledger.enter(places)
                engine.prepare(machine)
                identities = places.host_identities
                step.outcome = ", ".join(engine.remove_hosts()) or "none"
                engine.wait_for_helpers()
                engine.remove_volumes()
                forget_containers(identities)
        with steps.step(PUT_BACK) as step:
            cgroups.remove(places.network)
            _remove_bridge(places)
            forget_addresses(places.network)
            kept = _remove_state(places, purge=purge)
            left = ledger.leave(places)
    return Outcome(left=left, kept=kept)


def _remove_bridge(places: Places) -> None:
    if Path("/sys/class/net", places.network).exists():
        run(("ip", "link", "delete", places.network))


def _remove_state(places: Places, *, purge: bool) -> tuple[Path, ...]:
    for point in mounts_below(places.state):
        unmount(point)
    if purge:
        remove_tree(places.engine)
    if purge and not places.has_neighbours:
        remove_built_images(places.images)
    if not places.state.exists():
        return ()
    for path in places.state.iterdir():
        if path == places.engine:
            continue
        if path.is_dir():
            remove_tree(path)
        else:
            path.unlink()
    if places.engine.exists():
        return (places.engine, places.images)
    places.state.rmdir()
    return ()
