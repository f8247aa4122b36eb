"""``palisade prove``: shows that every check can fail, on a local fleet that may be broken for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from palisade.config import load_configuration
from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import ExitCode, PalisadeError
from palisade.project import Project
from palisade.verification.harden import harden
from palisade.verification.stack_unchanged import require_unchanged

if TYPE_CHECKING:
    from palisade.verification.prove import ProofRun


def prove(
    environment: Annotated[str, typer.Argument(help="The environment; a local fleet.")] = "local",
    *,
    control: Annotated[
        list[str] | None, typer.Option("--control", help="Only this control; may be given several times.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Break every setting once, see its check fail, harden again; exits with 1 unless every check failed."""
    # pytest and testinfra take their time to load: only who verifies waits for them.
    from palisade.verification.prepare import prepared_suite  # noqa: PLC0415
    from palisade.verification.prove import prove as run_proofs  # noqa: PLC0415
    from palisade.verification.prove import selection  # noqa: PLC0415

    project = Project.find()
    if not load_configuration(project, environment).is_local:
        raise PalisadeError(
            f"{environment} is not a local fleet, and a proof breaks its hosts on purpose.",
            where=str(project.environment_file(environment)),
            allowed="an environment with a section fleet.local",
            remedy="palisade prove local",
            exit_code=ExitCode.USAGE,
        )
    with prepared_suite(project, environment) as suite:
        fleet = suite.connections.fleet
        chosen = selection(suite.registry, fleet, cluster=suite.cluster is not None, controls=control or ())
        run = run_proofs(
            suite,
            chosen,
            harden=lambda: harden(project, environment, fleet=fleet),
            require_unchanged=lambda: require_unchanged(project, environment),
        )
    if output is OutputFormat.JSON:
        print_json({"kill_rate": run.kill_rate, "proofs": [asdict(proof) for proof in run.proofs]})
    else:
        _print(run)
    if run.killed != len(run.proofs):
        raise typer.Exit(ExitCode.FINDINGS)


def _print(run: ProofRun) -> None:
    if run.survivors:
        table = Table("control", "where", "outcome", "why", box=None, pad_edge=False)
        for proof in run.survivors:
            table.add_row(proof.control, proof.host, proof.outcome.replace("_", " "), proof.reason)
        ANSWER.print(table)
        ANSWER.print()
    ANSWER.print(
        f"Kill rate: {run.killed} of {len(run.proofs)} changes were noticed and taken back ({run.kill_rate:.0%})"
    )
