"""Whose signature counts under the certificate of the token issuer, and whose this machine believes."""

from __future__ import annotations

import ssl
from pathlib import Path

from palisade.config import FleetConfiguration
from palisade.config_access import host_of, port_of
from palisade.config_vault import PORT
from palisade.errors import ExitCode, PalisadeError
from palisade.fleet import HostGroup
from palisade.vault.access import vault_ca_place

SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Whom a Debian machine trusts, where OpenSSL does not say it."""


def machine_authorities() -> Path:
    """The file with the authorities that this machine trusts; it may not be there."""
    return Path(ssl.get_default_verify_paths().cafile or SYSTEM_AUTHORITIES)


def issuer_ca_file(configuration: FleetConfiguration) -> Path:
    """Who signed the certificate of the token issuer; the file may not be there.

    Args:
        configuration: The environment.

    Returns:
        ``tokens.ca_file``; else, if the issuer is the Vault of the fleet, the file that Vault is checked with; else,
        and where Vault has none, that of the authorities that this machine trusts.
    """
    given = None if configuration.tokens is None else configuration.tokens.ca_file
    if given is not None:
        return given.expanduser()
    own = vault_ca_place(configuration) if _is_vault(configuration) else None
    return own or machine_authorities()


def issuer_authorities(configuration: FleetConfiguration, root: str) -> str:
    """Who may have signed the certificate of the token issuer, PEM.

    Args:
        configuration: The environment.
        root: The certificate of the root authority of the fleet, PEM; it counts too where ``tokens.ca_file`` is absent.

    Raises:
        PalisadeError: there is no such file on this machine, or no certificate in it.
    """
    path = issuer_ca_file(configuration)
    section = "vault" if configuration.tokens is None else "tokens"
    given = configuration.tokens is not None and configuration.tokens.ca_file is not None
    try:
        ssl.create_default_context(cafile=str(path))
        found = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PalisadeError(
            "The certificate of the token issuer cannot be checked: nothing says who signed it.",
            where=str(path),
            allowed="a PEM file with the certificate of who signed that of the token issuer",
            remedy=f"{'correct' if given else 'set'} {section}.ca_file in Pulumi.{configuration.environment}.yaml",
            exit_code=ExitCode.MACHINE,
        ) from error
    return found if given else root + found


def _is_vault(configuration: FleetConfiguration) -> bool:
    if configuration.tokens is None:
        return True
    hosts = (f"https://{host.address}:{PORT}" for host in configuration.hosts_in(HostGroup.VAULT))
    keys = configuration.tokens.jwks_uri
    return any(
        (host_of(address), port_of(address)) == (host_of(keys), port_of(keys))
        for address in (configuration.vault.address, *hosts)
        if address is not None
    )
