"""Makes the bundle of an environment from ``policies/api``, the registry and the configuration, and keeps it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from palisade.bundle.archive import Bundle, data_of
from palisade.bundle.lookup import lookup, operations_in
from palisade.bundle.signing import Signer
from palisade.config import FleetConfiguration
from palisade.errors import ConfigurationError, MachineError, PalisadeError
from palisade.project import fleet_state_directory
from palisade.registry.model import Apis, apis_file

POLICIES = Path(__file__).resolve().parents[2] / "policies/api"
BUNDLE_FILE = "bundle.tar.gz"
KEY_FILE = "bundle-signing.pub"
"""Beside the bundle: the public key that checks it."""
_TESTS = "_test.rego"


@dataclass(frozen=True)
class Built:
    """A bundle that was written."""

    file: Path
    key_file: Path
    revision: str
    is_new: bool
    """Whether the file held something else before."""


def bundle_file(environment: str) -> Path:
    """Where the bundle of an environment is kept."""
    return fleet_state_directory(environment) / BUNDLE_FILE


def bundle_of(configuration: FleetConfiguration, apis: Apis) -> Bundle:
    """What the bundle of an environment has to hold now.

    Args:
        configuration: The environment.
        apis: What is registered.
    """
    policies = {
        str(path.relative_to(POLICIES.parent)): path.read_bytes()
        for path in sorted(POLICIES.rglob("*.rego"))
        if not path.name.endswith(_TESTS)
    }
    data = lookup(apis, configuration.access.required_headers, configuration.tls.minimum_version)
    return Bundle(policies, data, configuration.environment)


def refuse_to_lose_the_apis(environment: str, file: Path) -> None:
    """Refuse a bundle that knows no API only because nobody exported them here, if the one in its place knows some.

    Args:
        environment: Whose APIs they are.
        file: Where the bundle will be; what is no bundle may be replaced.

    Raises:
        ConfigurationError: every operation would go.
    """
    exported = apis_file(environment)
    if not exported.exists() and (count := _operations(file)):
        raise ConfigurationError(
            f"The bundle {file} has {count} operations, but the APIs of {environment} were not exported here; "
            "without them the new one would have none, and every call would be answered with 404.",
            where=str(exported),
            allowed="what palisade registry export writes, also where no API is published",
            remedy=f"palisade registry export {environment}; if no API is meant, remove the bundle first",
        )


def write_bundle(bundle: Bundle, signer: Signer, file: Path) -> Built:
    """Sign a bundle and put it into its place, beside its key; a bundle that is the same stays untouched.

    Raises:
        PalisadeError: it cannot be signed or written.
    """
    archive, key_file = bundle.archive(signer), file.with_name(KEY_FILE)
    changed = [_replaced(key_file, signer.public_key().encode()), _replaced(file, archive)]
    return Built(file, key_file, bundle.revision, any(changed))


def _operations(file: Path) -> int:
    try:
        return operations_in(data_of(file.read_bytes()))
    except (OSError, PalisadeError):
        return 0


def _replaced(path: Path, content: bytes) -> bool:
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.rename(path)
    except OSError as error:
        raise MachineError(f"The file cannot be written: {error.strerror}.", where=str(path)) from error
    return True
