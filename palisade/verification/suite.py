"""Which check runs where: the checkout that holds the suite, and the (control, target) pairs of an environment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from palisade.controls import CONTROLS_DIRECTORY, Control, ControlRegistry
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.fleet import Fleet
from palisade.project import Project
from palisade.results import Selection
from palisade.verification.targets import Target, applies, targets_of

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
    """One check to run: this control on this target."""

    control: Control
    target: Target

    @property
    def key(self) -> tuple[str, str]:
        """The control's id and the target's name."""
        return (self.control.id, self.target.name)


def assignments(
    registry: ControlRegistry,
    fleet: Fleet,
    *,
    cluster: bool = False,
    controls: Collection[str] = (),
    targets: Collection[str] = (),
) -> tuple[Assignment, ...]:
    """Every control on every target that it applies to, ordered by target (hosts as in the fleet, cluster) and control.

    Args:
        registry: The control registry.
        fleet: The hosts.
        cluster: Whether the environment has a cluster.
        controls: Only these control ids; all when empty.
        targets: Only the targets of these names; all when empty.

    Raises:
        PalisadeError: an unknown control or target, or a choice in which nothing is left to check.
    """
    known = targets_of(fleet, cluster=cluster)
    _refuse_unknown(controls, {control.id for control in registry.controls}, kind="control")
    _refuse_unknown(targets, {target.name for target in known}, kind="host")
    chosen = tuple(
        Assignment(control, target)
        for target in known
        if not targets or target.name in targets
        for control in registry.controls
        if applies(control, target, fleet) and (not controls or control.id in controls)
    )
    if not chosen:
        raise PalisadeError(
            "No chosen control applies to a chosen host, so nothing would be verified.",
            where=f"controls: {', '.join(controls) or 'all'}; hosts: {', '.join(targets) or 'all'}",
            exit_code=ExitCode.USAGE,
        )
    return chosen


def selection_of(
    every: Sequence[Assignment], chosen: Sequence[Assignment], controls: Sequence[str], targets: Sequence[str]
) -> Selection:
    """What a run that is not of every check says about itself.

    Args:
        every: All checks of the environment.
        chosen: Those that run.
        controls: The controls that were asked for.
        targets: The hosts that were asked for.
    """
    met = {assignment.target.name for assignment in chosen}
    names = dict.fromkeys(assignment.target.name for assignment in every)
    return Selection(
        controls=tuple(controls),
        targets=tuple(targets),
        checks=len(every),
        left_out=tuple(name for name in names if name not in met),
    )


def _refuse_unknown(chosen: Collection[str], known: Collection[str], *, kind: str) -> None:
    for name in chosen:
        if name not in known:
            raise PalisadeError(
                f"There is no {kind} {name!r}.", allowed=", ".join(sorted(known)), exit_code=ExitCode.USAGE
            )
