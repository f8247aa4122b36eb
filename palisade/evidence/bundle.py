"""The evidence bundle (contract 6): which files it has, where it goes, and its manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from palisade.controls import ControlRegistry
from palisade.errors import PalisadeError
from palisade.evidence.documents import controls_document, results_document
from palisade.evidence.junit import junit_document
from palisade.evidence.publish import publish
from palisade.evidence.report import report
from palisade.evidence.spreadsheet import spreadsheet
from palisade.evidence.view import view_of
from palisade.results import VerificationRun


@dataclass(frozen=True)
class EvidencePaths:
    """The files of one bundle."""

    directory: Path

    @property
    def results(self) -> Path:
        """Every result, complete: what the other files are made from."""
        return self.directory / "results.json"

    @property
    def controls(self) -> Path:
        """The control registry as it was used."""
        return self.directory / "controls.json"

    @property
    def junit(self) -> Path:
        """For continuous integration servers."""
        return self.directory / "junit.xml"

    @property
    def spreadsheet(self) -> Path:
        """For spreadsheets."""
        return self.directory / "results.csv"

    @property
    def report(self) -> Path:
        """For people: one self-contained page."""
        return self.directory / "report.html"

    @property
    def manifest(self) -> Path:
        """SHA-256 of all other files, in the format of ``sha256sum``."""
        return self.directory / "manifest.sha256"


def bundle_directory(root: Path, run: VerificationRun) -> Path:
    """Where the bundle of a run belongs: ``<root>/<environment>/<start in UTC>``.

    The time is ISO 8601 without colons (they are not allowed in file names everywhere), so names sort by time.

    Args:
        root: The directory of all evidence; ``evidence`` in a checkout.
        run: Its environment and start decide.
    """
    return root / run.environment / run.started.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")


def write_bundle(run: VerificationRun, registry: ControlRegistry, directory: Path) -> EvidencePaths:
    """Write the evidence of one run: all files at once or none, the same bytes for the same run.

    Args:
        run: What was found.
        registry: The controls that the results refer to.
        directory: A directory that does not exist yet (see :func:`bundle_directory`); the link ``latest`` beside it
            is moved to it, unless only some of the checks ran.

    Returns:
        Where each file is.

    Raises:
        PalisadeError: the run has two results for one control and host, or one for a control that is not registered.
        MachineError: the directory exists already or cannot be written.
    """
    _refuse_inconsistent(run, registry)
    paths = EvidencePaths(directory)
    results = results_document(run)
    files = {
        paths.results: results,
        paths.controls: controls_document(registry),
        paths.junit: junit_document(run, registry),
        paths.spreadsheet: spreadsheet(run, registry),
        paths.report: report(view_of(run, registry), results=results),
    }
    contents = {path.name: content for path, content in files.items()}
    publish({**contents, paths.manifest.name: _manifest(contents)}, directory, is_latest=run.selection is None)
    return paths


def _manifest(contents: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(contents.items()))
    return "".join(lines).encode("ascii")


def _refuse_inconsistent(run: VerificationRun, registry: ControlRegistry) -> None:
    registered = {control.id for control in registry.controls}
    pairs = Counter((result.control, result.target) for result in run.results)
    for (control, target), count in sorted(pairs.items()):
        if control not in registered:
            raise PalisadeError(
                f"The run has a result for {control}, which is not in the control registry.",
                where=target,
                remedy="verify again with the registry of this checkout (policies/controls)",
            )
        if count > 1:
            raise PalisadeError(
                f"The run has {count} results for {control} on {target}.",
                where=f"{target}: {control}",
                allowed="one result per control and host",
                remedy="make the check report once per host: a second result could hide the first",
            )
