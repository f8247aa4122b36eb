"""Which fleets are up on this machine, and how it looked before the first of them: the last one down puts it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from palisade.local.footprint import Footprint, forget_containers, forget_stale_addresses, put_back, read_footprint
from palisade.local.lock import exclusive
from palisade.local.machine import boot_identity
from palisade.local.mounts import remove_tree
from palisade.local.places import RUNTIME_DIRECTORY, Places
from palisade.local.processes import write_whole


@dataclass(frozen=True)
class Ledger:
    """The file ``/run/palisade/machine.json``.

    Args:
        boot: The boot of the machine in which it was written; after another one it means nothing.
        before: The machine before the first fleet.
        fleets: The fleets that are up or on their way, by the names of their runtime directories.
    """

    boot: str
    before: Footprint
    fleets: frozenset[str]


def enter(places: Places) -> None:
    """Note that this fleet comes up, and how the machine looks if it is the first.

    What an earlier boot of the machine left of the fleet is cleared away, so that the engine knows that its hosts
    have stopped.

    Raises:
        PalisadeError: the packet filter cannot be read.
    """
    with _locked():
        ledger = _read() or _first()
        if places.runtime.name not in ledger.fleets:
            _forget_earlier_boot(places)
        _write(Ledger(ledger.boot, ledger.before, ledger.fleets | {places.runtime.name}))
        places.runtime.mkdir(mode=0o700, exist_ok=True)


def is_entered(places: Places) -> bool:
    """Whether this fleet is up or on its way since this boot of the machine."""
    ledger = _read()
    return ledger is not None and places.runtime.name in ledger.fleets


def leave(places: Places) -> tuple[str, ...]:
    """Note that this fleet is down; the last one puts the machine back.

    Returns:
        What was left as it is, and why.

    Raises:
        PalisadeError: something cannot be put back.
    """
    with _locked():
        remove_tree(places.runtime)
        ledger = _read()
        if ledger is None:
            return ()
        others = ledger.fleets - {places.runtime.name}
        if others:
            _write(Ledger(ledger.boot, ledger.before, others))
            return ()
        left = put_back(ledger.before)
        remove_tree(RUNTIME_DIRECTORY)
        return left


@contextmanager
def _locked() -> Iterator[None]:
    with exclusive(RUNTIME_DIRECTORY.with_suffix(".lock"), waiting=lambda _: None):
        yield


def _file() -> Path:
    return RUNTIME_DIRECTORY / "machine.json"


def _read() -> Ledger | None:
    ledger = _read_of_any_boot()
    return ledger if ledger and ledger.boot == boot_identity() else None


def _read_of_any_boot() -> Ledger | None:
    try:
        document = json.loads(_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Ledger(document["boot"], Footprint.from_document(document["before"]), frozenset(document["fleets"]))


def _first() -> Ledger:
    forget_stale_addresses()
    before = read_footprint()
    if earlier := _read_of_any_boot():
        # Directories that an earlier boot's fleets made are still there where /run is on disk.
        before = replace(before, directories=before.directories & earlier.before.directories)
    return Ledger(boot=boot_identity(), before=before, fleets=frozenset())


def _forget_earlier_boot(places: Places) -> None:
    """Most machines keep ``/run`` in memory. Where it is on disk, dead hosts would be taken for running ones."""
    remove_tree(places.runtime)
    forget_containers(places.host_identities)


def _write(ledger: Ledger) -> None:
    RUNTIME_DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    document = {"boot": ledger.boot, "before": ledger.before.to_document(), "fleets": sorted(ledger.fleets)}
    write_whole(_file(), json.dumps(document, indent=2) + "\n")
