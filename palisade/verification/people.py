"""Tokens of people, to ask the edge as its clients do; only a local fleet has people of its own."""

from __future__ import annotations

from functools import cache

from palisade.project import Project
from palisade.vault.people import identity_token
from palisade.vault.session import vault_session


class People:
    """Makes tokens; each person's once.

    Args:
        project: Whose configuration counts.
        environment: The name of a local environment.
    """

    def __init__(self, project: Project, environment: str) -> None:
        self._project = project
        self._environment = environment
        self.token = cache(self._token)
        """The identity token of a person, by name (``analyst``, ``compliance-officer``); it lasts an hour."""

    def _token(self, person: str) -> str:
        with vault_session(self._project, self._environment) as session:
            return identity_token(session.vault, session.configuration, person)
