"""Where the Vault of an environment is, whom its certificate must be signed by, and which token opens it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from palisade.config import FleetConfiguration
from palisade.config_vault import PORT
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.fleet import HostGroup
from palisade.project import fleet_state_directory

TOKEN_VARIABLE = "VAULT_TOKEN"  # noqa: S105 - a name
TOKEN_FILE = Path("~/.vault-token")


@dataclass(frozen=True)
class VaultAccess:
    """How Vault is reached.

    Args:
        environment: The environment that it belongs to.
        address: Its URL.
        ca_file: Who signed its certificate; None: whom the machine trusts.
        token: Opens it.
        token_from: Where the token was found.
        is_local: Whether it belongs to a local fleet.
    """

    environment: str
    address: str
    ca_file: Path | None
    token: str
    token_from: str
    is_local: bool

    @property
    def trusted(self) -> str:
        """Whose certificates are believed, in words."""
        return str(self.ca_file) if self.ca_file else "the authorities of this machine"

    @property
    def start(self) -> str:
        """What a user does when Vault is not there."""
        if self.is_local:
            return f"palisade local up --environment {self.environment}, then ansible-playbook playbooks/vault.yml"
        listed = f"ansible-playbook -i inventories/{self.environment} playbooks/vault.yml"
        return f"start it (a listed host: {listed}), or correct vault.address"


def vault_directory(environment: str) -> Path:
    """What of Vault lies in the state of an environment: ``ca.crt``, ``root-token``, ``root.crt``."""
    return fleet_state_directory(environment) / "vault"


def root_certificate_file(environment: str) -> Path:
    """The certificate of the root authority, for clients; written by ``palisade vault apply``."""
    return vault_directory(environment) / "root.crt"


def vault_address(configuration: FleetConfiguration) -> str:
    """The URL of Vault: as configured, else on the first host of the group vault.

    Raises:
        ConfigurationError: neither is there.
    """
    if configuration.vault.address is not None:
        return configuration.vault.address
    for host in configuration.hosts_in(HostGroup.VAULT):
        return f"https://{host.address}:{PORT}"
    raise ConfigurationError(
        f"{configuration.environment} has no Vault.",
        where=f"Pulumi.{configuration.environment}.yaml: fleet.vault.address",
        allowed="an address such as https://vault.example:8200, or a host of the group vault",
        remedy="name your own Vault, or list a host for it",
    )


def asks_for_certificates(configuration: FleetConfiguration) -> bool:
    """Whether the stack has Vault sign a certificate of the edge: the edge has names, and there is a Vault."""
    has_vault = configuration.vault.address is not None or bool(configuration.hosts_in(HostGroup.VAULT))
    return configuration.edge is not None and has_vault


def vault_ca_place(configuration: FleetConfiguration) -> Path | None:
    """As :func:`vault_ca_file`, whether the file is there or not."""
    return _vault_ca(configuration)[0]


def vault_ca_file(configuration: FleetConfiguration) -> Path | None:
    """Who signed the certificate of Vault; None: an authority that the machine trusts.

    Without ``vault.ca_file``, that of a listed host is the file that its role gives the host: whoever has set it up
    has it, and cert-manager in the cluster trusts nobody else.

    Raises:
        PalisadeError: the file is not there.
    """
    path, remedy = _vault_ca(configuration)
    if path is not None and not path.is_file():
        raise PalisadeError(
            "The certificate that Vault is checked with is not there.",
            where=str(path),
            allowed="a PEM file with the certificate of who signed that of Vault",
            remedy=remedy,
            exit_code=ExitCode.MACHINE,
        )
    return path


def _vault_ca(configuration: FleetConfiguration) -> tuple[Path | None, str]:
    """Where the file is, and what to do if it is not there."""
    given, hosts = configuration.vault.ca_file, configuration.hosts_in(HostGroup.VAULT)
    own = vault_directory(configuration.environment)
    if given is not None:
        return given.expanduser(), "correct vault.ca_file"
    if configuration.is_local:
        return own / "ca.crt", "ansible-playbook playbooks/vault.yml makes it"
    if configuration.vault.address is None and hosts:
        listed = own / "hosts" / hosts[0].name / "ca.crt"
        return listed, "put it there (docs/vault-host.md), or name it in vault.ca_file"
    return None, ""


def find_vault(configuration: FleetConfiguration) -> VaultAccess:
    """How the Vault of an environment is reached.

    Raises:
        PalisadeError: there is none, or no token for it.
    """
    address = vault_address(configuration)
    ca_file = vault_ca_file(configuration)
    token, found_in = _token(configuration, address)
    return VaultAccess(
        environment=configuration.environment,
        address=address,
        ca_file=ca_file,
        token=token,
        token_from=found_in,
        is_local=configuration.is_local,
    )


def _token(configuration: FleetConfiguration, address: str) -> tuple[str, str]:
    own_file = vault_directory(configuration.environment) / "root-token"
    user_file = TOKEN_FILE.expanduser()
    candidates = [
        *([(str(own_file), _text(own_file))] if configuration.is_local else []),
        (TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE, "")),
        (str(user_file), _text(user_file)),
    ]
    for place, token in candidates:
        if token:
            return token, place
    own = "ansible-playbook playbooks/vault.yml writes it, or " if configuration.is_local else ""
    raise PalisadeError(
        f"There is no token for the Vault of {configuration.environment}.",
        where=address,
        allowed=f"a token in {' or in '.join(place for place, _ in candidates)}",
        remedy=f"{own}log in: bao login -address={address} (vault login for HashiCorp Vault)",
        exit_code=ExitCode.MACHINE,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
