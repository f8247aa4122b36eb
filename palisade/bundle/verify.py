"""Whether a bundle is signed and what it has to be; asked of OPA itself, which is what decides on it in the fleet."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from palisade.bundle.archive import KEY_NAME, Bundle, manifest_of
from palisade.errors import PalisadeError

_SECONDS = 30


@dataclass(frozen=True)
class Verdict:
    """What was found out about a bundle."""

    revision: str
    """The revision that it says; empty if OPA does not accept it."""
    expected: str
    """The revision of what would be built now."""
    refusal: str
    """Why OPA does not accept it, in its own words; empty if it does."""

    @property
    def problem(self) -> str:
        """What is wrong, in a sentence; empty if nothing is."""
        if self.refusal:
            return f"OPA refuses the bundle: {self.refusal}."
        if self.revision != self.expected:
            return "The bundle is older than the policy, the registry or the configuration."
        return ""


def verify(opa: Path, file: Path, key_file: Path, wanted: Bundle) -> Verdict:
    """Ask OPA for a bundle's signature, and compare it with what it has to hold.

    Args:
        opa: The program.
        file: The bundle.
        key_file: The public key that has to check it, as PEM.
        wanted: What the bundle would be if it were built now.

    Raises:
        PalisadeError: one of the files is not there, or OPA does not answer.
    """
    for needed in (file, key_file):
        if not needed.is_file():
            raise PalisadeError(
                "There is nothing to verify.", where=str(needed), remedy=f"palisade bundle build {wanted.environment}"
            )
    refusal = _refusal(opa, file, key_file, wanted.environment)
    revision = "" if refusal else str(manifest_of(file.read_bytes()).get("revision", ""))
    return Verdict(revision, wanted.revision, refusal)


def _refusal(opa: Path, file: Path, key_file: Path, environment: str) -> str:
    with tempfile.TemporaryDirectory(prefix="palisade-") as directory:
        command = [
            *(str(opa), "build", "--bundle", str(file)),
            *("--verification-key", str(key_file), "--verification-key-id", KEY_NAME),
            *("--scope", environment, "--output", f"{directory}/checked.tar.gz"),
        ]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PalisadeError(f"OPA does not answer: {error}.", where=str(opa)) from error
    if answer.returncode == 0:
        return ""
    said = (answer.stderr or answer.stdout).strip().splitlines() or [f"exit code {answer.returncode}"]
    return said[-1].removeprefix("error: ").removeprefix(f"load error: bundle {file}: ").rstrip(".")
