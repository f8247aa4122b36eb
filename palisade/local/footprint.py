"""What starting a fleet changes on the machine outside its own directories: read before, put back after."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palisade.local.firewall_traces import Chain, chains_and_tables, is_in_use, removal
from palisade.local.mounts import is_mounted, remove_tree, unmount
from palisade.local.processes import run

NETWORK_SETTINGS = Path("/proc/sys/net/ipv4")
NAMESPACES = Path("/run/netns")
"""Where the engine binds network namespaces; it makes this directory a mount and leaves it."""
ADDRESS_RECORDS = Path("/run/containers/networks")
"""Where netavark keeps which container has which address, for all engines of root (podman 4.3, 5)."""
RUNTIME_STATES = (Path("/run/runc"), Path("/run/crun"))
"""Where the programs that podman starts containers with keep one directory per running container."""
ENGINE_DIRECTORIES = (NAMESPACES, *RUNTIME_STATES, ADDRESS_RECORDS, ADDRESS_RECORDS.parent)
"""What podman and the programs that it calls make outside of the fleet's own places, and leave."""
INTERFACES = Path("/sys/class/net")


@dataclass(frozen=True)
class Footprint:
    """The machine's shared things, as they were at one moment.

    Args:
        settings: Kernel settings of forwarding, by their path under ``/proc/sys/net/ipv4``.
        interfaces: Names of the network interfaces.
        chains: Tables and chains of the packet filter.
        directories: Those of :data:`ENGINE_DIRECTORIES` that were there.
        namespaces_mounted: Whether the directory of network namespaces was a mount.
    """

    settings: Mapping[str, str]
    interfaces: frozenset[str]
    chains: frozenset[Chain]
    directories: frozenset[Path]
    namespaces_mounted: bool

    def to_document(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "settings": dict(self.settings),
            "interfaces": sorted(self.interfaces),
            "chains": [[chain.family, chain.table, chain.name] for chain in sorted(self.chains)],
            "directories": sorted(str(path) for path in self.directories),
            "namespaces_mounted": self.namespaces_mounted,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Footprint:
        """From what :meth:`to_document` made."""
        return cls(
            settings=document["settings"],
            interfaces=frozenset(document["interfaces"]),
            chains=frozenset(Chain(*parts) for parts in document["chains"]),
            directories=frozenset(Path(path) for path in document["directories"]),
            namespaces_mounted=document["namespaces_mounted"],
        )


def read_footprint() -> Footprint:
    """Read the machine's shared things.

    Raises:
        PalisadeError: the packet filter cannot be read.
    """
    return Footprint(
        settings=_read_settings(),
        interfaces=_interfaces(),
        chains=chains_and_tables(_ruleset()),
        directories=frozenset(path for path in ENGINE_DIRECTORIES if path.is_dir()),
        namespaces_mounted=is_mounted(NAMESPACES),
    )


def put_back(before: Footprint) -> tuple[str, ...]:
    """Put the machine's shared things back, except those that somebody else has begun to use.

    Returns:
        What was left as it is, and why; usually nothing.

    Raises:
        PalisadeError: the packet filter cannot be changed.
    """
    left = []
    ruleset = _ruleset()
    if is_in_use(ruleset):
        left.append("netavark's chains in the packet filter: another container network uses them")
    elif commands := removal(ruleset, before.chains):
        run(("nft", "--json", "--file", "-"), text=json.dumps({"nftables": commands}))
    changed = {name: value for name, value in _read_settings().items() if before.settings.get(name, value) != value}
    newcomers = sorted(_interfaces() - before.interfaces)
    if changed and newcomers:
        left.append(f"packet forwarding: interfaces that came later may need it ({', '.join(newcomers)})")
    elif changed:
        _write_settings(before.settings)
    if is_mounted(NAMESPACES) and not before.namespaces_mounted:
        _forget_dead_namespaces()
        if any(NAMESPACES.iterdir()):
            left.append(f"{NAMESPACES}: somebody else's network namespaces are in it")
        else:
            unmount(NAMESPACES)
    forget_stale_addresses()
    for directory in ENGINE_DIRECTORIES:
        if directory not in before.directories:
            # One that is not empty is in use by somebody else, or not there at all.
            with suppress(OSError):
                directory.rmdir()
    return tuple(left)


def forget_containers(identities: Iterable[str]) -> None:
    """Remove what is noted of containers that do not run any more, or they could never be started again.

    Args:
        identities: Podman's identifiers of the containers.
    """
    for identity in identities:
        for directory in RUNTIME_STATES:
            remove_tree(directory / identity)


def forget_stale_addresses(records: Path = ADDRESS_RECORDS) -> None:
    """Remove netavark's records of addresses in use if none can be: there is no network of netavark's.

    They lie in ``/run``. Where that is not in memory they survive a reboot, and no host gets its address again.

    Args:
        records: Where netavark keeps them.

    Raises:
        PalisadeError: the packet filter cannot be read.
    """
    if records.is_dir() and not is_in_use(_ruleset()):
        shutil.rmtree(records)


def _forget_dead_namespaces() -> None:
    for path in NAMESPACES.iterdir():
        # A live namespace is a mount; what a killed container leaves is an empty file.
        if not is_mounted(path):
            path.unlink()


def _ruleset() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(("nft", "--json", "list", "ruleset")))
    return document


def _interfaces() -> frozenset[str]:
    return frozenset(path.name for path in INTERFACES.iterdir())


def _read_settings() -> dict[str, str]:
    # The first one sets all others when it is written, so it stays first.
    paths = [
        NETWORK_SETTINGS / "ip_forward",
        NETWORK_SETTINGS / "conf/all/accept_redirects",
        *sorted(NETWORK_SETTINGS.glob("conf/*/forwarding")),
    ]
    settings = {}
    for path in paths:
        with suppress(FileNotFoundError):
            settings[str(path.relative_to(NETWORK_SETTINGS))] = path.read_text(encoding="ascii").strip()
    return settings


def _write_settings(settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        path = NETWORK_SETTINGS / name
        with suppress(FileNotFoundError):
            if path.read_text(encoding="ascii").strip() != value:
                path.write_text(f"{value}\n", encoding="ascii")
