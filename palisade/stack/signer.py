"""Refuses a first update that would wait for certificates that nobody signs: pulumi would say so minutes later."""

from __future__ import annotations

from palisade.config import FleetConfiguration
from palisade.console import PROGRESS
from palisade.stack.command import Pulumi
from palisade.stack.contents import read_state
from palisade.vault.access import asks_for_certificates

CERTIFICATE = "kubernetes:cert-manager.io/v1:Certificate"
"""The type that Pulumi has for it."""


def refuse_without_signer(pulumi: Pulumi, configuration: FleetConfiguration) -> None:
    """Refuse an update whose first certificate Vault would not sign.

    Once the stack has its certificate, Vault may be away while something else is changed. A local fleet has its Vault
    on the same machine, and ``make up`` the order.

    Args:
        pulumi: Pulumi for the stack.
        configuration: Its environment.

    Raises:
        PalisadeError: Vault is not there, or not set up; nothing was changed.
    """
    if configuration.is_local or configuration.cluster is None or not asks_for_certificates(configuration):
        return
    # hvac takes its time to load: only who talks to Vault waits for it.
    from palisade.vault.signer import signer_problem  # noqa: PLC0415

    problem = signer_problem(configuration)
    if problem is None:
        return
    if not _has_certificate(pulumi):
        raise problem
    PROGRESS.print(f"Going on, because the certificate is there: {problem.problem}", markup=False, soft_wrap=True)


def _has_certificate(pulumi: Pulumi) -> bool:
    resources = read_state(pulumi)["deployment"].get("resources", ())
    return any(one["type"] == CERTIFICATE and not one.get("initErrors") for one in resources)
