"""Contract 3: the control registry, ``policies/controls/*.yaml``.

A control is one recommendation. It is data that points at what implements it, at the check that verifies it and at the
change that proves the check can fail.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from palisade.errors import ConfigurationError
from palisade.fleet import HostGroup
from palisade.yaml_file import read_yaml

CONTROLS_DIRECTORY = Path("policies/controls")


class Framework(StrEnum):
    """The catalogues that a control can refer to."""

    CIS_DEBIAN_12 = "cis_debian_12"
    CIS_KUBERNETES = "cis_kubernetes_1_11"
    NIST_800_53 = "nist_800_53"
    PCI_DSS = "pci_dss_4_0_1"
    SOC_2 = "soc_2"
    GDPR = "gdpr"
    HIPAA = "hipaa"


REFERENCE_FORMS: dict[Framework, tuple[re.Pattern[str], str]] = {
    Framework.CIS_DEBIAN_12: (re.compile(r"[1-7](\.\d{1,2}){1,4}"), "a recommendation such as 5.1.20"),
    Framework.CIS_KUBERNETES: (re.compile(r"[1-5](\.\d{1,2}){1,2}"), "a recommendation such as 1.2.6"),
    Framework.NIST_800_53: (re.compile(r"[A-Z]{2}-\d{1,2}(\(\d{1,2}\))?"), "a control such as AC-6 or AC-6(9)"),
    Framework.PCI_DSS: (re.compile(r"(1[0-2]|[1-9])(\.\d{1,2}){1,3}"), "a requirement such as 2.2.6"),
    Framework.SOC_2: (re.compile(r"(CC[1-9]|A1|C1|PI1|P[1-8])\.\d{1,2}"), "a criterion such as CC6.1"),
    Framework.GDPR: (re.compile(r"Art\. \d{1,2}(\(\d\)(\([a-z]\))?)?"), "an article such as Art. 32(1)(b)"),
    Framework.HIPAA: (re.compile(r"164\.3\d{2}(\([A-Za-z0-9]+\)){0,5}"), "a section such as 164.312(a)(1)"),
}
"""How a reference to each catalogue is written, and the words in which a wrong one is refused."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(StrEnum):
    """What a control can apply to besides the hosts of a group; a fleet without a cluster has neither."""

    CLUSTER = "cluster"
    """The cluster: its objects, as the API server gives them. The target of such results has this name."""
    NODE = "node"
    """The hosts of the fleet on which pods run."""


class RoleTag(_Frozen):
    """The role and the tag that put a control in place on hosts."""

    role: str
    tag: str

    @property
    def heading(self) -> tuple[str, str]:
        """What the control is listed under, and under which part of it."""
        return (self.role, self.tag)

    def __str__(self) -> str:
        return f"role {self.role}, tag {self.tag}"


class StackComponent(_Frozen):
    """The component of the Pulumi program that declares what a control is about."""

    component: str

    @property
    def heading(self) -> tuple[str, str]:
        """What the control is listed under, and under which part of it."""
        return (Scope.CLUSTER.value, self.component)

    def __str__(self) -> str:
        return f"stack component {self.component}"


class AdmissionPolicy(_Frozen):
    """The policy of the cluster by which the API server refuses what a control forbids."""

    policy: str

    @property
    def heading(self) -> tuple[str, str]:
        """What the control is listed under, and under which part of it."""
        return (Scope.CLUSTER.value, "admission")

    def __str__(self) -> str:
        return f"admission policy {self.policy}"


class VaultDeclaration(_Frozen):
    """The file of ``policies/vault`` that declares what is inside Vault."""

    vault: str

    @property
    def heading(self) -> tuple[str, str]:
        """What the control is listed under, and under which part of it."""
        return ("inside-vault", self.vault)

    def __str__(self) -> str:
        return f"policies/vault/{self.vault}.yaml"


Implementation = RoleTag | StackComponent | AdmissionPolicy | VaultDeclaration


class Control(_Frozen):
    """One recommendation, what does it, what verifies it and what breaks it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{3,60}$")
    title: str = Field(min_length=8, max_length=120)
    why: str = Field(min_length=20)
    """The risk that it takes away, in own words."""
    applies_to: tuple[HostGroup | Scope, ...] = Field(min_length=1)
    implemented_by: Implementation
    verified_by: str = Field(pattern=r"^tests/verify/test_[a-z_]+\.py::test_[a-z_]+$")
    """The pytest node (without parameters) that checks it."""
    expected: dict[str, Any] = Field(min_length=1)
    """What the check compares with; written here and not taken from the roles, so that neither can hide the other."""
    proven_by: str = Field(min_length=4)
    """A shell command that breaks the setting; its check must fail afterwards.

    It runs on a live host as root; of a control of the cluster, where ``palisade`` runs, with kubectl and the
    administrator's KUBECONFIG; of what is inside Vault, there too, with ``VAULT_ADDR``, ``VAULT_TOKEN`` and
    ``VAULT_CACERT``.
    """
    references: dict[Framework, tuple[str, ...]] = Field(min_length=1)

    @field_validator("applies_to", mode="before")
    @classmethod
    def _applies_to_something_known(cls, places: object) -> object:
        known = [*HostGroup, *Scope]
        for place in places if isinstance(places, list | tuple) else ():
            if place not in known:
                raise ValueError(f"{place!r} is nothing that a control applies to: {', '.join(known)}")
        return places

    @field_validator("references")
    @classmethod
    def _references_have_their_form(
        cls, references: dict[Framework, tuple[str, ...]]
    ) -> dict[Framework, tuple[str, ...]]:
        for framework, entries in references.items():
            form, words = REFERENCE_FORMS[framework]
            for entry in entries:
                if not form.fullmatch(entry):
                    raise ValueError(f"{entry!r} is not a reference to {framework}: {words} is")
        return references


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

    Args:
        project_root: The checkout that holds ``policies/controls``.

    Raises:
        ConfigurationError: there is no control at all, a file is not a list of controls, a field is wrong, or an id is
            used twice.
    """
    controls: dict[str, Control] = {}
    for path in sorted((project_root / CONTROLS_DIRECTORY).glob("*.yaml")):
        for number, entry in enumerate(_entries(path)):
            control = _control(entry, where=f"{path}: [{number}]")
            if control.id in controls:
                raise ConfigurationError(f"The control id {control.id} is used twice.", where=str(path))
            controls[control.id] = control
    if not controls:
        raise ConfigurationError(
            "There is no control, so nothing would be verified.",
            where=str(project_root / CONTROLS_DIRECTORY),
            allowed="at least one *.yaml file with a list of controls",
        )
    return ControlRegistry(controls=tuple(controls[identifier] for identifier in sorted(controls)))


def _entries(path: Path) -> list[object]:
    entries = read_yaml(path).value
    if not isinstance(entries, list):
        raise ConfigurationError("The file does not hold a list of controls.", where=str(path))
    return entries


def _control(entry: object, *, where: str) -> Control:
    try:
        return Control.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(first["msg"].removeprefix("Value error, "), where=f"{where}.{path}") from error
