"""Whether Vault would sign what the stack asks for; asked without a token, before an update waits for it in vain."""

from __future__ import annotations

import hvac.exceptions
import requests

from palisade.config import FleetConfiguration
from palisade.errors import PalisadeError
from palisade.vault.access import VaultAccess, vault_address, vault_ca_file
from palisade.vault.client import Vault

ORDER = "docs/real-environment.md has the order of everything"


def signer_problem(configuration: FleetConfiguration) -> PalisadeError | None:
    """Why Vault would sign nothing now; None if it would, or if this machine does not get to it.

    The authority's certificate can be read by everybody, so that no token is needed. Whether cert-manager may log in is
    not known without one.

    Args:
        configuration: An environment that has a Vault.

    Raises:
        PalisadeError: the certificate that Vault is checked with is not there.
    """
    access = VaultAccess(
        environment=configuration.environment,
        address=vault_address(configuration),
        ca_file=vault_ca_file(configuration),
        token="",
        token_from="nobody",  # noqa: S106 - there is none
        is_local=configuration.is_local,
    )
    try:
        with Vault(access) as vault:
            vault.require_open()
            authority = _authority(vault, configuration.vault.mounts.pki)
    except PalisadeError as error:
        return None if _is_out_of_reach(error.__cause__) else _told(error, f"{error.remedy or 'set it up'}; {ORDER}")
    if authority:
        return None
    nobody = PalisadeError("It has no authority yet.", where=access.address)
    return _told(nobody, f"palisade vault apply {configuration.environment}; {ORDER}")


def _authority(vault: Vault, mount: str) -> str | None:
    try:
        found = vault.read(f"{mount}/cert/ca")
    except PalisadeError as error:
        if isinstance(error.__cause__, hvac.exceptions.Forbidden | hvac.exceptions.InvalidRequest):
            return None  # without a token, so Vault says of a path that nothing is mounted at
        raise
    return (found or {}).get("certificate")


def _is_out_of_reach(cause: BaseException | None) -> bool:
    """Whether nobody there has answered: a machine that is up, and on which Vault is not, refuses the connection."""
    if not isinstance(cause, requests.exceptions.RequestException) or isinstance(cause, requests.exceptions.SSLError):
        return False
    return "Connection refused" not in str(cause)


def _told(error: PalisadeError, remedy: str) -> PalisadeError:
    problem = f"Nothing was changed, because Vault would not sign the certificate of the edge now. {error.problem}"
    return PalisadeError(problem, where=error.where, remedy=remedy)
