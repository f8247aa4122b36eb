"""Identity tokens of the people of a local fleet: what API clients bring along in the demonstration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palisade.config import FleetConfiguration
from palisade.errors import ExitCode, PalisadeError
from palisade.validation import nearest
from palisade.vault.access import VaultAccess

if TYPE_CHECKING:
    from palisade.vault.client import Vault


def identity_token(vault: Vault, configuration: FleetConfiguration, person: str) -> str:
    """Log in as a person and ask for an OIDC identity token (a JWT).

    Args:
        vault: The connection of the operator, who reads the person's password.
        configuration: The environment.
        person: The name of the person.

    Raises:
        PalisadeError: this is no local fleet, or there is no such person.
    """
    if not configuration.is_local:
        raise PalisadeError(
            f"{configuration.environment} is not a local fleet; its people log in themselves.",
            allowed="a local fleet",
            remedy="take a token from the identity provider of this environment (tokens.issuer)",
            exit_code=ExitCode.USAGE,
        )
    mounts = configuration.vault.mounts
    known = vault.list(f"auth/{mounts.people}/users")
    if person not in known:
        meant = nearest(person, known)
        raise PalisadeError(
            f"There is no person {person!r}.",
            where=f"{vault.access.address}/v1/auth/{mounts.people}/users",
            allowed=", ".join(known) or "nobody yet",
            remedy=f"did you mean {meant}?" if meant else f"palisade vault apply {configuration.environment}",
            exit_code=ExitCode.USAGE,
        )
    stored = vault.read(f"{mounts.secrets}/data/person-{person}") or {}
    password = stored.get("data", {}).get("password", "")
    own = vault.login(f"auth/{mounts.people}/login/{person}", {"password": password})
    access = VaultAccess(**{**vars(vault.access), "token": own, "token_from": f"the login of {person}"})
    with type(vault)(access) as as_person:
        answer = as_person.read(f"identity/oidc/token/{configuration.vault.roles.tokens}") or {}
    return str(answer["token"])
