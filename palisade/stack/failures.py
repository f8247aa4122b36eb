"""What pulumi says when it cannot do something, what that means here, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from palisade.errors import PalisadeError
from palisade.stack.model import Stack

NO_STACK, CHANGES_FOUND, CANCELLED = 6, 7, 8
"""Pulumi's exit codes for a missing stack, changes where ``--expect-no-changes`` expected none, and Ctrl-C."""


class MissingError(PalisadeError):
    """The stack, or what was asked of it, is not there, or not there yet."""


class ChangesError(PalisadeError):
    """There is something to change where nothing was expected."""


@dataclass(frozen=True)
class KnownFailure:
    """One thing that goes wrong.

    Args:
        texts: What pulumi says; any of these.
        problem: What that means.
        remedy: What to do about it.
        error: The type of the error.
    """

    texts: Sequence[str]
    problem: str
    remedy: str
    error: type[PalisadeError] = PalisadeError


KNOWN_FAILURES = (
    KnownFailure(
        ("no stack named",),
        "The environment {environment} has no stack yet.",
        "make it: palisade stack init {environment}, then palisade stack up {environment}",
        MissingError,
    ),
    KnownFailure(
        # With its number, as Pulumi Cloud's answers are shown: an API server refuses a login with the same word.
        (
            "PULUMI_ACCESS_TOKEN must be set",
            "not logged in",
            "aren't logged in",
            "requires logging in",
            "[401]",
            "nvalid access token",
        ),
        "pulumi is not logged in to the place where the stack's state is.",
        "pulumi login (or pulumi login file://DIRECTORY for state in files), or name the place in state.backend",
    ),
    KnownFailure(
        ("unable to open bucket", ".pulumi/meta.yaml", "unable to check if bucket", "performing HTTP request"),
        "The place where the stack's state is cannot be opened: {backend}.",
        "log in to it as its provider asks (for s3:// the AWS credentials), and check that it exists",
    ),
    KnownFailure(
        ("incorrect passphrase",),
        "The passphrase is not the one that the stack {environment} was made with.",
        "use the file with the right one: PULUMI_CONFIG_PASSPHRASE_FILE; a line encryptionsalt in {file} "
        "that is not in git belongs to an earlier stack: remove it",
    ),
    KnownFailure(
        ("PULUMI_CONFIG_PASSPHRASE", "unable to read PULUMI_CONFIG_PASSPHRASE_FILE"),
        "pulumi needs the passphrase of the stack {environment}.",
        "set PULUMI_CONFIG_PASSPHRASE_FILE to the file that holds it",
    ),
    KnownFailure(
        ("neither VAULT_SERVER_URL nor VAULT_ADDR",),
        "The secrets of the stack {environment} are under a key of Vault or OpenBao, and its address is not set.",
        "set VAULT_ADDR and VAULT_TOKEN (and VAULT_CACERT for a certificate authority of your own): docs/state.md",
    ),
    KnownFailure(
        ("Vault is sealed",),
        "The server that keeps the key of the stack {environment} is sealed; nothing was changed.",
        "ask its keepers to unseal it (vault operator unseal, bao operator unseal), then run the command again",
    ),
    KnownFailure(
        ("Code: 403. Errors:",),
        "The token may not use the key of the stack {environment}: it is another one, has ended, or lacks the policy.",
        "set VAULT_TOKEN to one that may encrypt and decrypt with the key; the policy is in docs/state.md",
    ),
    KnownFailure(
        ("/v1/transit/",),
        "The server that keeps the key of the stack {environment} cannot be asked, or is not the one it should be.",
        "check VAULT_ADDR and VAULT_CACERT: curl --cacert $VAULT_CACERT $VAULT_ADDR/v1/sys/health",
    ),
    KnownFailure(
        ("does not have output property",),
        "The stack {environment} has no fleet output.",
        "palisade stack up {environment}",
        MissingError,
    ),
)


def errors_in(display: str) -> str:
    """The errors that pulumi shows under "Diagnostics" when an operation ends; these are not on standard error.

    Args:
        display: What it wrote to standard output, without colours.
    """
    errors, is_error = list[str](), False
    for line in display.partition("\nDiagnostics:\n")[2].partition("\nResources:\n")[0].splitlines():
        starts_error, starts_other = line.startswith("    error: "), line.startswith("    warning: ")
        is_error = starts_error or (is_error and line.startswith("    ") and not starts_other)
        if is_error:
            errors.append(line.removeprefix("    "))
    return "\n".join(errors)


def failure(said: str, *, stack: Stack, where: str, status: int | None = None) -> PalisadeError:
    """The error that explains why pulumi failed.

    Args:
        said: What it wrote to standard error, or what it showed (:func:`errors_in`).
        stack: The stack it was called for.
        where: The command line.
        status: Its exit code, if it is known.
    """
    if status == CHANGES_FOUND:
        return ChangesError(f"pulumi found changes: {said.strip()}", where=where)
    words = {
        "environment": stack.environment,
        "backend": stack.backend or "where pulumi is logged in",
        "file": stack.configuration_file.name,
    }
    for known in KNOWN_FAILURES:
        if any(text in said for text in known.texts):
            return known.error(known.problem.format(**words), where=where, remedy=known.remedy.format(**words))
    return PalisadeError(f"pulumi failed: {said.strip() or 'it did not say why'}", where=where)
