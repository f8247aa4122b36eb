"""``palisade verify``: runs every check on every host and on the cluster, and writes the evidence."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.table import Table

from palisade.console import ANSWER, OutputFormat, print_json
from palisade.errors import ExitCode
from palisade.evidence import EvidencePaths, bundle_directory, summarise, write_bundle
from palisade.project import Project
from palisade.results import Status, VerificationRun
from palisade.verification.suite import assignments, selection_of


def verify(
    environment: Annotated[str, typer.Argument(help="The environment.")],
    *,
    control: Annotated[
        list[str] | None, typer.Option("--control", help="Only this control; may be given several times.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option("--host", help="Only this host, or cluster; may be given several times.")
    ] = None,
    output: Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")] = OutputFormat.TEXT,
) -> None:
    """Check the hosts and the cluster of an environment and write the evidence; exits with 1 if a check fails."""
    # pytest and testinfra take their time to load: only who verifies waits for them.
    from palisade.verification.prepare import prepared_suite  # noqa: PLC0415
    from palisade.verification.run import verify as run_verification  # noqa: PLC0415

    project = Project.find()
    with prepared_suite(project, environment) as suite:
        choose = partial(assignments, suite.registry, suite.connections.fleet, cluster=suite.cluster is not None)
        every, chosen = choose(), choose(controls=control or (), targets=host or ())
        run = run_verification(suite, chosen, environment=environment)
    if len(chosen) < len(every):
        run = run.model_copy(update={"selection": selection_of(every, chosen, control or (), host or ())})
    evidence = write_bundle(run, suite.registry, bundle_directory(project.root / "evidence", run))
    if output is OutputFormat.JSON:
        print_json(
            {
                "counts": {status.value: run.count(status) for status in Status},
                "evidence": str(evidence.directory),
                "report": str(evidence.report),
                "run": run.model_dump(mode="json"),
            }
        )
    else:
        _print(run, evidence)
    if run.count(Status.FAIL):
        raise typer.Exit(ExitCode.FINDINGS)


def _print(run: VerificationRun, evidence: EvidencePaths) -> None:
    for status in (Status.FAIL, Status.WAIVED):
        listed = [result for result in run.results if result.status is status]
        if listed:
            table = Table("where", "control", "why", title=status.words, title_justify="left", box=None, pad_edge=False)
            for result in listed:
                table.add_row(result.target, result.control, result.reason)
            ANSWER.print(table)
            ANSWER.print()
    summary = summarise(run)
    ANSWER.print(f"{summary.verdict}. {summary.sentence}", soft_wrap=True)
    ANSWER.print(f"Report: {evidence.report}", soft_wrap=True)
