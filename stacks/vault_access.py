"""How cert-manager reaches Vault."""

from __future__ import annotations

from palisade.config import FleetConfiguration
from palisade.vault.access import vault_address, vault_ca_file
from stacks.pki import VaultAccess


def vault_access(configuration: FleetConfiguration) -> VaultAccess:
    """How cert-manager reaches it.

    Raises:
        PalisadeError: the certificate that it is checked with is not there.
    """
    authority = vault_ca_file(configuration)
    vault = configuration.vault
    return VaultAccess(
        server=vault_address(configuration),
        ca_bundle=None if authority is None else authority.read_text(encoding="ascii"),
        sign_path=f"{vault.mounts.pki}/sign/{vault.roles.workloads}",
        auth_path=vault.mounts.kubernetes,
        role=vault.roles.cert_manager,
        account=vault.cert_manager.name,
    )
