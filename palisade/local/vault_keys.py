"""What a Vault host proves itself with and unseals itself with: made for this fleet, one folder for each host.

The role ``vault`` puts the folders on the hosts and writes ``root-token`` and ``recovery.json`` beside them. The
authority's own key stays here; it signs nothing but the listeners of Vault.
"""

from __future__ import annotations

import secrets
from ipaddress import IPv4Address
from pathlib import Path

from palisade.fleet import Fleet, HostGroup
from palisade.local.certificates import Authority, Subject
from palisade.local.processes import fill_folder, write_whole

SEAL_KEY_BYTES = 32
LOOPBACK = IPv4Address("127.0.0.1")


def make_vault_keys(directory: Path, fleet: Fleet) -> None:
    """Make what is missing or ends soon; what is there and still right stays as it is.

    Args:
        directory: ``vault/`` of the fleet's state directory.
        fleet: Its hosts.
    """
    fill_folder(directory, {})
    authority = Authority(directory / "authority", f"palisade {fleet.environment} vault")
    seal = directory / "authority/seal.key"
    if not seal.exists():
        write_whole(seal, secrets.token_hex(SEAL_KEY_BYTES))
    fill_folder(directory, {"ca.crt": authority.certificate})
    for host in fleet.in_group(HostGroup.VAULT):
        subject = Subject(host.name, names=("localhost", host.name), addresses=(LOOPBACK, host.address))
        pair = authority.issue(host.name, subject)
        files = {
            "ca.crt": authority.certificate,
            "tls.crt": pair.certificate,
            "tls.key": pair.key,
            "seal.key": seal.read_text(encoding="ascii"),
        }
        fill_folder(directory / "hosts" / host.name, files)
