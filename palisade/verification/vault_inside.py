"""What is inside the Vault of an environment, read for the checks with the rights of the policy ``palisade-verifier``.

Nothing here knows what is declared. Comparing that is the work of ``palisade vault verify``; the control registry has
expectations of its own.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import hvac
import hvac.exceptions
import requests

from palisade.config import FleetConfiguration, load_configuration
from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.vault.access import VaultAccess, find_vault
from palisade.verification.check import not_assessable
from palisade.verification.readings import ReadingFailedError

POLICY = "palisade-verifier"
TOKEN_LIFE = "30m"  # noqa: S105 - how long one is good
SECONDS = 15
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class VaultInside:
    """Reads a Vault.

    Args:
        project: Whose configuration says where it is.
        environment: The environment.
    """

    def __init__(self, project: Project, environment: str) -> None:
        self._project = project
        self._environment = environment

    def read(self, path: str) -> dict[str, Any] | None:
        """What stands at a path; None if nothing does.

        Raises:
            NotAssessable: there is no token for this Vault here.
            ReadingFailedError: Vault does not answer, or not to us.
        """
        answer = self._asked("read", path)
        return None if answer is None else dict(answer["data"])

    def names(self, path: str) -> list[str]:
        """The names below a path, sorted; none if nothing is there.

        Raises:
            NotAssessable: there is no token for this Vault here.
            ReadingFailedError: Vault does not answer, or not to us.
        """
        answer = self._asked("list", path)
        return sorted(answer["data"]["keys"]) if answer else []

    def path(self, template: str) -> str:
        """A path with the names that engines and logins have in this environment.

        Args:
            template: Such as ``{pki}/roles``; the names are those of ``vault.mounts`` in the configuration.
        """
        return template.format(**self._configuration.vault.mounts.model_dump())

    @property
    def variables(self) -> Mapping[str, str]:
        """What clients of Vault read from the environment, with the operator's token: for who changes something.

        Raises:
            PalisadeError: there is no Vault, or no token for it.
        """
        access = self._access()
        return {"VAULT_ADDR": access.address, "VAULT_TOKEN": access.token, "VAULT_CACERT": _authorities(access)}

    def put_back(self) -> None:
        """Make it as it is declared, as ``palisade vault apply`` does.

        Raises:
            PalisadeError: Vault refuses.
        """
        # The way to Vault that changes it is loaded by a proof only; checks never go through it.
        from palisade.vault.planning import apply  # noqa: PLC0415
        from palisade.vault.session import vault_session  # noqa: PLC0415

        with vault_session(self._project, self._environment) as session:
            apply(session.context, session.declared, lock=session.lock)

    def _access(self) -> VaultAccess:
        return find_vault(self._configuration)

    @cached_property
    def _configuration(self) -> FleetConfiguration:
        return load_configuration(self._project, self._environment)

    @cached_property
    def _reader(self) -> Any:
        try:
            access = self._access()
        except PalisadeError as error:
            not_assessable(f"Vault cannot be asked: {error.problem}")
        operator = _client(access, access.token)
        # A token of the operator may do everything; what is read with is to be no more than it must.
        answer = operator.auth.token.create(policies=[POLICY], ttl=TOKEN_LIFE, renewable=False)
        return _client(access, answer["auth"]["client_token"])

    def _asked(self, operation: Literal["read", "list"], path: str) -> Any:
        try:
            return getattr(self._reader, operation)(self.path(path))
        except (hvac.exceptions.VaultError, requests.exceptions.RequestException) as error:
            said = " ".join(str(error).split())
            raise ReadingFailedError(f"Vault was asked for {path} with the policy {POLICY}: {said}") from error


def _client(access: VaultAccess, token: str) -> Any:
    session = requests.Session()
    session.trust_env = False  # the token goes through no proxy that a variable names
    session.verify = _authorities(access)
    return hvac.Client(url=access.address, token=token, session=session, verify=session.verify, timeout=SECONDS)


def _authorities(access: VaultAccess) -> str:
    return str(access.ca_file or ssl.get_default_verify_paths().cafile or _AUTHORITIES)
