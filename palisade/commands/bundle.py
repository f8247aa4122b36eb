"""``palisade bundle``: the signed policy and data by which OPA decides on API requests."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from palisade.access_path.opa import PROGRAM
from palisade.bundle.build import KEY_FILE, bundle_file, bundle_of, refuse_to_lose_the_apis, write_bundle
from palisade.bundle.signing import KeyFileSigner, Signer, TransitSigner
from palisade.bundle.verify import verify as check
from palisade.config import FleetConfiguration, load_configuration
from palisade.console import ANSWER, OutputFormat, Steps, print_json
from palisade.errors import ExitCode, PalisadeError
from palisade.project import Project
from palisade.registry.model import apis_file, read_apis
from palisade.tools.obtain import ensure, step_titles
from palisade.vault.access import find_vault

application = typer.Typer(help="Build, sign and verify the policy bundle of an environment.", no_args_is_help=True)

Environment = Annotated[str, typer.Argument(help="The environment.")]
Out = Annotated[Path | None, typer.Option("--out", help="The bundle, instead of that in the state of the fleet.")]
Output = Annotated[OutputFormat, typer.Option("--output", help="How the answer is printed.")]


@application.command()
def build(
    environment: Environment,
    *,
    key: Annotated[
        Path | None, typer.Option("--key", help="Sign with this private RSA key (PEM) and not with Vault's Transit.")
    ] = None,
    out: Out = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Build the bundle from policies/api, the registered APIs and the configuration, and sign it.

    The public key that checks it is written beside it. The same input and key give the same bytes.
    """
    configuration = load_configuration(Project.find(), environment)
    file = out or bundle_file(environment)
    refuse_to_lose_the_apis(environment, file)
    apis = read_apis(environment)
    bundle = bundle_of(configuration, apis)
    with ExitStack() as connection:
        signer = _transit(configuration, connection) if key is None else KeyFileSigner(key)
        built = write_bundle(bundle, signer, file)
    operations = sum(len(api.operations) for api in apis.apis)
    if output is OutputFormat.JSON:
        print_json(
            {
                "bundle": str(built.file),
                "key": str(built.key_file),
                "revision": built.revision,
                "changed": built.is_new,
                "operations": operations,
            }
        )
        return
    what = "written" if built.is_new else "there already"
    ANSWER.print(f"The bundle is {what}: {built.file}", soft_wrap=True, markup=False)
    missing = "" if apis_file(environment).exists() else "; none were exported here (palisade registry export)"
    what = f"Revision {built.revision}, {operations} operations of {len(apis.apis)} APIs{missing}"
    ANSWER.print(what, soft_wrap=True, markup=False)


@application.command()
def verify(
    environment: Environment,
    *,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key (PEM), instead of the one beside the bundle.")
    ] = None,
    out: Out = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Ask OPA whether the bundle is signed, and compare it with what would be built now; exit code 1 if it is not."""
    project = Project.find()
    configuration = load_configuration(project, environment)
    wanted = bundle_of(configuration, read_apis(environment))
    file = out or bundle_file(environment)
    opa = ensure(project, [PROGRAM], Steps(step_titles(project, [PROGRAM])))[PROGRAM]
    verdict = check(opa, file, key or file.with_name(KEY_FILE), wanted)
    if output is OutputFormat.JSON:
        print_json({"bundle": str(file), "revision": verdict.revision, "problem": verdict.problem})
    if verdict.problem:
        raise PalisadeError(
            verdict.problem,
            where=str(file),
            remedy=f"palisade bundle build {environment}",
            exit_code=ExitCode.FINDINGS,
        )
    if output is OutputFormat.TEXT:
        ANSWER.print(f"OPA accepts the bundle, and it is up to date: {verdict.revision}", soft_wrap=True, markup=False)


def _transit(configuration: FleetConfiguration, connection: ExitStack) -> Signer:
    # hvac takes its time to load: only who talks to Vault waits for it.
    from palisade.vault.client import Vault  # noqa: PLC0415

    vault = connection.enter_context(Vault(find_vault(configuration)))
    vault.require_ready()
    return TransitSigner(vault, configuration.vault.mounts.transit, configuration.vault.keys.bundle_signing)
