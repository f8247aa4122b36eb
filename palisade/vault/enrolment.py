"""What a host needs to log in at Vault for the first time: nothing of it is worth anything to somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from palisade.config import FleetConfiguration
from palisade.config_sections import Host
from palisade.errors import ExitCode, PalisadeError
from palisade.validation import nearest

if TYPE_CHECKING:
    from palisade.vault.client import Vault

WRAPPED_SECONDS = 300
"""How long the wrapping token can be used, once."""


@dataclass(frozen=True)
class Enrolment:
    """How a host logs in.

    Args:
        role_id: The role of its group; not secret.
        wrapping_token: Gives the secret id, once.
        address: The URL of Vault.
        ca: Who signed the certificate of Vault, PEM; empty: an authority that the host trusts anyway.
    """

    role_id: str
    wrapping_token: str
    address: str
    ca: str

    def document(self) -> dict[str, str]:
        """For JSON."""
        return dict(vars(self))


def enrol(vault: Vault, configuration: FleetConfiguration, name: str) -> Enrolment:
    """Make a secret id for a host; the answer of Vault is wrapped, so nobody on the way reads it unnoticed.

    Args:
        vault: The connection.
        configuration: The environment.
        name: The name of the host.

    Raises:
        PalisadeError: there is no such host, or Vault has no role for its group.
    """
    host = _host(configuration, name)
    path = f"auth/{configuration.vault.mounts.approle}/role/{host.group}"
    role = vault.read(f"{path}/role-id")
    if role is None:
        raise PalisadeError(
            f"Vault has no role for the hosts of the group {host.group}.",
            where=f"{vault.access.address}/v1/{path}",
            remedy=f"palisade vault apply {configuration.environment}",
        )
    bound = [f"{host.address}/32"] if configuration.vault.bind_to_addresses else []
    wish = {
        "metadata": _metadata(configuration.environment, host.name),
        "cidr_list": bound,
        "token_bound_cidrs": bound,
    }
    token = vault.wrapped(f"{path}/secret-id", wish, seconds=WRAPPED_SECONDS)
    ca_file = vault.access.ca_file
    return Enrolment(
        role_id=str(role["role_id"]),
        wrapping_token=token,
        address=vault.access.address,
        ca=ca_file.read_text(encoding="utf-8") if ca_file else "",
    )


def _metadata(environment: str, host: str) -> str:
    """What the audit log of Vault says about whoever logs in with the secret id."""
    return f'{{"environment": "{environment}", "host": "{host}"}}'


def _host(configuration: FleetConfiguration, name: str) -> Host:
    for host in configuration.hosts:
        if host.name == name:
            return host
    known = [host.name for host in configuration.hosts]
    meant = nearest(name, known)
    raise PalisadeError(
        f"{configuration.environment} has no host {name}.",
        allowed=", ".join(known),
        remedy=f"did you mean {meant}?" if meant else "use one of them",
        exit_code=ExitCode.USAGE,
    )
