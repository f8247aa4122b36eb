"""Contract 4: the check result, one record per control and target."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator


class Status(StrEnum):
    """What a check found; anything that was not shown to hold is never ``pass``."""

    PASS = "pass"  # noqa: S105 - a status, not a password
    FAIL = "fail"
    WAIVED = "waived"
    """Fails, and a waiver with a reason that has not expired accepts it."""
    NOT_ASSESSABLE = "not_assessable"
    """The target cannot show it (a kernel-wide setting in a container)."""

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


class Observation(BaseModel):
    """What was read: in the file, and in the running system."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Any = None
    runtime: Any = None


class AppliedWaiver(BaseModel):
    """The waiver that turned a failing check into ``waived``: who reads the evidence sees why and until when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str
    expires: date
    """The last day on which it counts (UTC)."""


class CheckResult(BaseModel):
    """One control on one target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str
    target: str
    status: Status
    expected: dict[str, Any]
    observed: Observation
    reason: str
    """Why it is not a pass, in one sentence a person understands; empty for a pass."""
    commit: str
    """The git commit of the project that was verified, with ``-dirty`` if files differed from it."""
    time: AwareDatetime
    duration_seconds: float
    waiver: AppliedWaiver | None = None
    """Set exactly when the status is ``waived``."""

    @model_validator(mode="after")
    def _waiver_belongs_to_waived(self) -> Self:
        if (self.status is Status.WAIVED) is not (self.waiver is not None):
            raise ValueError(f"a result that is {self.status} {'has' if self.waiver else 'lacks'} a waiver")
        return self


class Selection(BaseModel):
    """What was chosen of all checks of an environment, where not all of them ran."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    controls: tuple[str, ...]
    """The controls that were asked for; none means all."""
    targets: tuple[str, ...]
    """The hosts, or the cluster, that were asked for; none means all."""
    checks: int
    """How many checks there are, chosen or not."""
    left_out: tuple[str, ...]
    """The hosts, or the cluster, on which nothing was checked."""


class VerificationRun(BaseModel):
    """All results of one run of ``palisade verify``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str
    commit: str
    started: AwareDatetime
    duration_seconds: float
    results: tuple[CheckResult, ...]
    selection: Selection | None = None
    """None: every check of the environment ran."""

    def count(self, status: Status) -> int:
        """How many results have this status."""
        return sum(result.status is status for result in self.results)
