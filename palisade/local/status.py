"""What the fleet does right now; a reading that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from palisade.errors import MachineError
from palisade.fleet import Fleet, FleetHost
from palisade.local import ledger
from palisade.local.concurrency import for_each
from palisade.local.engine import Engine, FoundHost
from palisade.local.kubernetes import node_states
from palisade.local.machine import runs_as_root
from palisade.local.places import Places
from palisade.local.programs import as_root


@dataclass(frozen=True)
class HostStatus:
    """One host of the configuration.

    Args:
        host: The host.
        state: ``running``, another word of podman's, or ``down``.
        systemd: What systemd says about the whole host (``running``, ``degraded`` ...); empty if it is not running.
        up_since: When it was last started; None if it is not running.
        node: What it is as a node of the fleet's own cluster; empty for other hosts.
    """

    host: FleetHost
    state: str
    systemd: str
    up_since: datetime | None
    node: str = ""


def read_status(fleet: Fleet) -> list[HostStatus]:
    """The status of every configured host, in the order of the fleet.

    Raises:
        MachineError: not root.
        PalisadeError: podman failed.
    """
    if not runs_as_root():
        raise MachineError("Only root sees the hosts.", remedy=as_root())
    places = Places.of(fleet.environment)
    engine = Engine(places)
    found = engine.found_hosts() if engine.exists and ledger.is_entered(places) else {}
    status = for_each(fleet.hosts, lambda host, _: _status(engine, host, found.get(host.name)))
    nodes = node_states(fleet, places) if places.kubeconfig.exists() else {}
    return [replace(one, node=nodes.get(one.host.name, "")) for one in status]


def _status(engine: Engine, host: FleetHost, found: FoundHost | None) -> HostStatus:
    if found is None:
        return HostStatus(host, "down", "", None)
    if found.state != "running":
        return HostStatus(host, found.state, "", None)
    answer = engine.inside(host.name, ("systemctl", "is-system-running"))
    return HostStatus(host, found.state, answer.output.strip() or "unknown", found.started)
