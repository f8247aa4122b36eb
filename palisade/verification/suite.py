"""Which check runs where: the checkout that holds the suite, and the (control, host) pairs of an environment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from palisade.controls import CONTROLS_DIRECTORY, Control, ControlRegistry
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.fleet import Fleet, FleetHost
from palisade.project import Project

CHECKS_DIRECTORY = Path("tests/verify")


def suite_root(project: Project) -> Path:
    """The checkout whose controls and checks are used.

    A project may hold nothing but its configuration (a Molecule scenario); the suite is then the one that this
    package was started from.

    Raises:
        ConfigurationError: neither place has a control registry.
    """
    for candidate in (project.root, Path(__file__).resolve().parents[2]):
        if (candidate / CONTROLS_DIRECTORY).is_dir():
            return candidate
    raise ConfigurationError(
        "The control registry is not there.",
        where=str(project.root / CONTROLS_DIRECTORY),
        remedy="run palisade from a checkout of Palisade",
    )


@dataclass(frozen=True)
class Assignment:
    """One check to run: this control on this host."""

    control: Control
    host: FleetHost

    @property
    def key(self) -> tuple[str, str]:
        """The control's id and the host's name."""
        return (self.control.id, self.host.name)


def assignments(
    registry: ControlRegistry, fleet: Fleet, *, controls: Collection[str] = (), hosts: Collection[str] = ()
) -> tuple[Assignment, ...]:
    """Every control on every host that it applies to, ordered by host (as in the fleet) and control.

    Args:
        registry: The control registry.
        fleet: The hosts.
        controls: Only these control ids; all when empty.
        hosts: Only these host names; all when empty.

    Raises:
        PalisadeError: an unknown control or host, or a choice in which nothing is left to check.
    """
    _refuse_unknown(controls, {control.id for control in registry.controls}, kind="control")
    _refuse_unknown(hosts, {host.name for host in fleet.hosts}, kind="host")
    chosen = tuple(
        Assignment(control, host)
        for host in fleet.hosts
        if not hosts or host.name in hosts
        for control in registry.controls
        if host.group in control.applies_to and (not controls or control.id in controls)
    )
    if not chosen:
        raise PalisadeError(
            "No chosen control applies to a chosen host, so nothing would be verified.",
            where=f"controls: {', '.join(controls) or 'all'}; hosts: {', '.join(hosts) or 'all'}",
            exit_code=ExitCode.USAGE,
        )
    return chosen


def _refuse_unknown(chosen: Collection[str], known: Collection[str], *, kind: str) -> None:
    for name in chosen:
        if name not in known:
            raise PalisadeError(
                f"There is no {kind} {name!r}.", allowed=", ".join(sorted(known)), exit_code=ExitCode.USAGE
            )
