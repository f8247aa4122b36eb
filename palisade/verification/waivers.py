"""Waivers, ``policies/waivers/<environment>.yaml``: accepted failures, each with a reason and a last day."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palisade.controls import ControlRegistry
from palisade.errors import ConfigurationError
from palisade.fleet import Fleet
from palisade.verification.targets import applies, targets_of
from palisade.yaml_file import read_yaml

WAIVERS_DIRECTORY = Path("policies/waivers")


class Waiver(BaseModel):
    """One accepted failure of a control on named hosts, or on the cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str
    targets: tuple[str, ...] = Field(min_length=1)
    """Host names, or ``cluster``; there is no wildcard, so that a new host is never waived by accident."""
    reason: str = Field(min_length=20)
    expires: date
    """The last day (UTC) on which the waiver holds."""

    def is_expired(self, today: date) -> bool:
        """Whether the last day has passed."""
        return today > self.expires


class Waivers(BaseModel):
    """All waivers of one environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entries: tuple[Waiver, ...] = ()

    def find(self, control: str, target: str) -> Waiver | None:
        """The waiver of this control on this host, expired or not."""
        for waiver in self.entries:
            if waiver.control == control and target in waiver.targets:
                return waiver
        return None


def load_waivers(project_root: Path, registry: ControlRegistry, fleet: Fleet, *, cluster: bool = False) -> Waivers:
    """Read the waivers of the fleet's environment; an environment without the file has none.

    Args:
        project_root: The checkout that holds ``policies/waivers``.
        registry: The controls that can be waived.
        fleet: The hosts on which they can be.
        cluster: Whether the environment has a cluster.

    Raises:
        ConfigurationError: not a list of waivers, a wrong field, an unknown control or host, a host that the control
            does not apply to, or the same control waived twice on a host.
    """
    path = project_root / WAIVERS_DIRECTORY / f"{fleet.environment}.yaml"
    if not path.is_file():
        return Waivers()
    document = read_yaml(path).value
    if not isinstance(document, list):
        raise ConfigurationError("The file does not hold a list of waivers.", where=str(path), allowed="[] for none")
    seen: set[tuple[str, str]] = set()
    entries = []
    for number, entry in enumerate(document):
        waiver = _waiver(entry, where=f"{path}: [{number}]")
        _refuse_unknown(waiver, registry, fleet, cluster=cluster, where=f"{path}: [{number}]")
        for target in waiver.targets:
            if (waiver.control, target) in seen:
                raise ConfigurationError(
                    f"The control {waiver.control} is waived twice on {target}.", where=f"{path}: [{number}]"
                )
            seen.add((waiver.control, target))
        entries.append(waiver)
    return Waivers(entries=tuple(entries))


def _waiver(entry: object, *, where: str) -> Waiver:
    try:
        return Waiver.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where=f"{where}.{path}") from error


def _refuse_unknown(waiver: Waiver, registry: ControlRegistry, fleet: Fleet, *, cluster: bool, where: str) -> None:
    try:
        control = registry.get(waiver.control)
    except KeyError:
        raise ConfigurationError(f"There is no control {waiver.control!r}.", where=f"{where}.control") from None
    known = {target.name: target for target in targets_of(fleet, cluster=cluster)}
    for name in waiver.targets:
        if name not in known:
            raise ConfigurationError(
                f"There is no host {name!r} in {fleet.environment}.",
                where=f"{where}.targets",
                allowed=", ".join(sorted(known)),
            )
        if not applies(control, known[name], fleet):
            raise ConfigurationError(
                f"The control {control.id} does not apply to {name}.",
                where=f"{where}.targets",
                allowed=f"hosts of the groups {', '.join(control.applies_to)}",
            )
