"""Runs the suite: pytest in this process, target by target, and nothing missing at the end."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from palisade.console import Step, Steps
from palisade.controls import ControlRegistry
from palisade.errors import PalisadeError
from palisade.results import Status, VerificationRun
from palisade.verification.connections import Connections
from palisade.verification.readings import Readings
from palisade.verification.session import Checked, VerificationPlugin, required
from palisade.verification.suite import CHECKS_DIRECTORY, Assignment
from palisade.verification.targets import ClusterTarget
from palisade.verification.waivers import Waivers

if TYPE_CHECKING:
    from palisade.verification.cluster import Cluster
    from palisade.verification.vault_inside import VaultInside

_SHOWN_LINES = 15


@dataclass
class Suite:
    """The checks of one environment, ready to run.

    Args:
        root: The checkout that holds the checks.
        registry: The control registry.
        connections: The hosts.
        waivers: Which failures are accepted.
        commit: The commit of the checkout.
        readings: Per host name; shared by all runs until :meth:`forget`.
        cluster: The cluster of the environment, if it has one.
        vault: What is inside its Vault, if it has a cluster.
    """

    root: Path
    registry: ControlRegistry
    connections: Connections
    waivers: Waivers
    commit: str
    readings: dict[str, Readings] = field(default_factory=dict)
    cluster: Cluster | None = None
    vault: VaultInside | None = None

    @property
    def required_vault(self) -> VaultInside:
        """What is inside Vault.

        Raises:
            LookupError: the environment has no cluster, and so no Vault that is set up for it.
        """
        return required(self.vault)

    @property
    def required_cluster(self) -> Cluster:
        """The cluster.

        Raises:
            LookupError: the environment has none.
        """
        return required(self.cluster)

    def require_reachable(self, assignments: Iterable[Assignment]) -> None:
        """Connect to every target.

        Raises:
            PalisadeError: a host or the API server does not answer, or refuses us (``ExitCode.EXTERNAL``).
        """
        targets = {item.target.name: item.target for item in assignments}.values()
        hosts = tuple(one for one in targets if not isinstance(one, ClusterTarget))
        if hosts:
            self.connections.require_reachable(hosts)
        if len(hosts) < len(targets):
            self.required_cluster.require_reachable()

    def run(
        self, assignments: tuple[Assignment, ...], *, tell: Callable[[Checked], None] | None = None
    ) -> list[Checked]:
        """Run these checks.

        Args:
            assignments: What to run.
            tell: Called with each result as soon as it is known.

        Returns:
            Exactly one result for each assignment, in the same order.

        Raises:
            PalisadeError: the suite itself is broken (a file cannot be imported), or a result is missing.
        """
        found: list[Checked] = []

        def listener(checked: Checked) -> None:
            found.append(checked)
            if tell is not None:
                tell(checked)

        said = self._run_pytest(
            self.session(assignments, listener=listener), sorted({item.control.verified_by for item in assignments})
        )
        return complete(assignments, found, said)

    def session(
        self, assignments: tuple[Assignment, ...], *, listener: Callable[[Checked], None]
    ) -> VerificationPlugin:
        """The pytest plugin that runs these checks.

        Args:
            assignments: What to run.
            listener: Called with each result.
        """
        return VerificationPlugin(
            assignments,
            self.connections,
            self.waivers,
            self.commit,
            listener,
            readings=self.readings,
            cluster=self.cluster,
            vault=self.vault,
        )

    def forget(self) -> None:
        """Forget all readings, so that the next run reads every target again."""
        for readings in self.readings.values():
            readings.forget()
        if self.cluster is not None:
            self.cluster.forget()

    def _run_pytest(self, plugin: VerificationPlugin, nodes: list[str]) -> str:
        output = StringIO()
        with redirect_stdout(output), redirect_stderr(output):
            code = pytest.main(
                [
                    "--rootdir",
                    str(self.root),
                    "-c",
                    str(self.root / "pyproject.toml"),
                    "--assert=plain",
                    "--import-mode=importlib",
                    "--tb=short",
                    "-p",
                    "no:cacheprovider",
                    "-p",
                    "no:testinfra",
                    *(str(self.root / node) for node in nodes),
                ],
                plugins=[plugin],
            )
        if plugin.interrupted:
            raise KeyboardInterrupt
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise PalisadeError(
                f"The checks could not be run.\n{_end_of(output.getvalue())}",
                where=str(self.root / CHECKS_DIRECTORY),
                remedy="this is a fault of the checks, not of a host: pytest --collect-only tests/verify shows it",
            )
        return output.getvalue()


def complete(assignments: Iterable[Assignment], found: Iterable[Checked], said: str) -> list[Checked]:
    """The results in the order of the assignments; each exactly once.

    Args:
        assignments: What was to be run.
        found: What was reported.
        said: What pytest printed, for the error.

    Raises:
        PalisadeError: a result is missing, or there is one too many.
    """
    results = list(found)
    counts = Counter((item.result.control, item.result.target) for item in results)
    order = [assignment.key for assignment in assignments]
    wrong = [key for key in order if counts[key] != 1] + [key for key in counts if key not in set(order)]
    if wrong:
        listed = ", ".join(f"{control} on {target} ({counts[(control, target)]})" for control, target in wrong[:5])
        raise PalisadeError(
            f"{len(wrong)} checks do not have exactly one result: {listed}\n{_end_of(said)}",
            remedy="this is a fault of the checks, not of a host: pytest --collect-only tests/verify shows it",
        )
    by_key = {(item.result.control, item.result.target): item for item in results}
    return [by_key[key] for key in order]


def verify(suite: Suite, assignments: tuple[Assignment, ...], *, environment: str) -> VerificationRun:
    """Run the checks target by target, with progress on standard error.

    Args:
        suite: The checks and the hosts.
        assignments: What to run.
        environment: The name of the environment, for the results.

    Raises:
        PalisadeError: a host or the cluster cannot be reached, or the suite is broken.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    names = list(dict.fromkeys(assignment.target.name for assignment in assignments))
    titles = [f"Verify {name}" for name in names]
    steps = Steps(["Connect", *titles])
    with steps.step("Connect") as running:
        suite.require_reachable(assignments)
        running.outcome = f"{len(names)} targets"
    results: list[Checked] = []
    for name, title in zip(names, titles, strict=True):
        chosen = tuple(assignment for assignment in assignments if assignment.target.name == name)
        with steps.step(title) as running:
            checked = suite.run(chosen, tell=_shown_by(running))
            counts = Counter(item.result.status for item in checked)
            running.outcome = ", ".join(f"{counts[status]} {status.words}" for status in Status if counts[status])
        results += checked
    return VerificationRun(
        environment=environment,
        commit=suite.commit,
        started=started,
        duration_seconds=round(time.monotonic() - clock, 2),
        results=tuple(item.result for item in results),
    )


def _shown_by(step: Step) -> Callable[[Checked], None]:
    return lambda checked: step.detail(checked.result.control)


def commit_of(root: Path) -> str:
    """The git commit of a checkout, with ``-dirty`` if a versioned file differs from it; ``unknown`` outside git."""
    try:
        head = _git(root, "rev-parse", "HEAD").strip()
        changed = _git(root, "status", "--porcelain", "--untracked-files=no").strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout


def _end_of(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
