"""What the scenario has instead of Vault and of the token issuer of a fleet; on this machine, and gone with the fleet.

Usage: stand_ins.py DIRECTORY
"""

from __future__ import annotations

import secrets
import sys
from ipaddress import IPv4Address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from palisade.bundle.build import bundle_file, bundle_of, write_bundle
from palisade.bundle.signing import SMALLEST_KEY_BITS, KeyFileSigner
from palisade.config import FleetConfiguration, load_configuration
from palisade.fleet import HostGroup
from palisade.local.certificates import Authority, Subject
from palisade.local.processes import write_whole
from palisade.project import Project
from palisade.registry.model import Apis, apis_file
from tests.access_path.issuer import Issuer

ENVIRONMENT = "molecule"
SERVICE_PORT = 80


def apis(configuration: FleetConfiguration) -> Apis:
    """The API that is served, behind the stand-in on the database host."""
    (database,) = configuration.hosts_in(HostGroup.DATABASE)
    operations = [
        {"method": "GET", "path": "/v1/finance/records", "roles": ["compliance_officer"], "minimum_tls": "1.3"},
        {"method": "GET", "path": "/v1/finance/summary", "roles": ["analyst"]},
        {"method": "GET", "path": "/v1/finance/slow", "roles": ["analyst"]},
    ]
    finance = {
        "name": "finance",
        "version": "1.0.0",
        "state": "ENABLED",
        "owner": "tests",
        "git_commit": "0" * 40,
        "upstream": {"host": str(database.address), "port": SERVICE_PORT},
        "operations": operations,
    }
    return Apis.model_validate({"apis": [finance]})


def make(directory: Path) -> None:
    """Make everything that is not there yet."""
    configuration = load_configuration(Project.find(), ENVIRONMENT)
    (edge,) = configuration.hosts_in(HostGroup.REGISTRY)
    (database,) = configuration.hosts_in(HostGroup.DATABASE)
    authority = Authority(directory, "stand-in for the root CA of a fleet")
    hosts: dict[str, IPv4Address] = {"edge": edge.address, "postgresql": database.address, "issuer": database.address}
    for name, address in hosts.items():
        authority.issue(name, Subject(f"stand-in for {name}", addresses=(address,)))
    password = directory / "database-password"
    if not password.exists():
        write_whole(password, secrets.token_urlsafe(32))
    issuer_key = _key(directory / "issuer-signing.pem", 2048)
    write_whole(directory / "jwks.json", Issuer(key_file=issuer_key).jwks)
    published = apis(configuration)
    write_whole(apis_file(ENVIRONMENT), published.text())
    signer = KeyFileSigner(_key(directory / "bundle-signing.pem", SMALLEST_KEY_BITS))
    write_bundle(bundle_of(configuration, published), signer, bundle_file(ENVIRONMENT))


def _key(path: Path, bits: int) -> Path:
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        write_whole(path, text)
    return path


if __name__ == "__main__":
    make(Path(sys.argv[1]))
