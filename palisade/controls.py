"""Contract 3: the control registry, ``policies/controls/*.yaml``.

A control is one recommendation. It is data that points at what implements it, at the check that verifies it and at the
change that proves the check can fail.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup

CONTROLS_DIRECTORY = Path("policies/controls")


class Framework(StrEnum):
    """The catalogues that a control can refer to."""

    CIS_DEBIAN_12 = "cis_debian_12"
    NIST_800_53 = "nist_800_53"
    PCI_DSS = "pci_dss_4_0_1"
    SOC_2 = "soc_2"
    GDPR = "gdpr"
    HIPAA = "hipaa"


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Implementation(_Frozen):
    """The role and the tag that put the control in place."""

    role: str
    tag: str


class Control(_Frozen):
    """One recommendation, what does it, what verifies it and what breaks it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{3,60}$")
    title: str = Field(min_length=8, max_length=120)
    why: str = Field(min_length=20)
    """The risk that it takes away, in own words."""
    applies_to: tuple[HostGroup, ...] = Field(min_length=1)
    implemented_by: Implementation
    verified_by: str = Field(pattern=r"^tests/verify/test_[a-z_]+\.py::test_[a-z_]+$")
    """The pytest node (without parameters) that checks it."""
    expected: dict[str, Any] = Field(min_length=1)
    """What the check compares with; written here and not taken from the roles, so that neither can hide the other."""
    proven_by: str = Field(min_length=4)
    """A shell command that breaks the setting on a live host as root; its check must fail afterwards."""
    references: dict[Framework, tuple[str, ...]] = Field(min_length=1)


class ControlRegistry(_Frozen):
    """All controls, ordered by id."""

    controls: tuple[Control, ...]

    def get(self, identifier: str) -> Control:
        """The control with this id.

        Raises:
            KeyError: there is none.
        """
        for control in self.controls:
            if control.id == identifier:
                return control
        raise KeyError(identifier)

    def verified_by(self, node: str) -> tuple[Control, ...]:
        """The controls that name this check."""
        return tuple(control for control in self.controls if control.verified_by == node)


def load_controls(project_root: Path) -> ControlRegistry:
    """Read every file of the control registry.

    Raises:
        ConfigurationError: a file is not a list of controls, a field is wrong, or an id is used twice.
    """
    controls: dict[str, Control] = {}
    for path in sorted((project_root / CONTROLS_DIRECTORY).glob("*.yaml")):
        where = str(path.relative_to(project_root))
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise ConfigurationError("The file does not hold a list of controls.", where=where)
        for number, entry in enumerate(entries):
            control = _control(entry, where=f"{where}: [{number}]")
            if control.id in controls:
                raise ConfigurationError(f"The control id {control.id} is used twice.", where=where)
            controls[control.id] = control
    return ControlRegistry(controls=tuple(controls[identifier] for identifier in sorted(controls)))


def _control(entry: object, *, where: str) -> Control:
    try:
        return Control.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"], where=f"{where}.{path}") from error
