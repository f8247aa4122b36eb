"""Talks to the registry (Apicurio Registry 3, REST API v3): what is published, in which state, and one more version."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from palisade.errors import PalisadeError
from palisade.registry.model import LifecycleState

GROUP = "apis"
"""The group of artifacts in which APIs are published."""
OWNER_LABEL, COMMIT_LABEL = "owner", "git-commit"
_PATH = "/apis/registry/v3"
_PAGE = 200
_SECONDS = 20.0
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class PublishedVersion:
    """One version of an API, as the registry has it."""

    name: str
    version: str
    state: str
    owner: str
    git_commit: str
    published: str
    """When, in UTC."""
    changed: str
    """When its state or what is kept of it last changed, in UTC; empty if the registry does not say."""
    content: int
    """The registry's number for the document."""


@dataclass(frozen=True)
class Registry:
    """A registry that answers.

    Args:
        http: Knows its address, whom to trust and what to say who asks.
    """

    http: httpx.Client

    def versions(self, state: LifecycleState | None = None) -> list[PublishedVersion]:
        """What is published, the oldest first.

        Args:
            state: Only what is in this state.

        Raises:
            PalisadeError: the registry refuses, or does not answer.
        """
        only = {"state": state.value} if state else {}
        found: list[PublishedVersion] = []
        while True:
            asked = {
                "groupId": GROUP,
                "orderby": "globalId",
                "order": "asc",
                "limit": _PAGE,
                "offset": len(found),
                **only,
            }
            answer = self._ask("GET", "/search/versions", parameters=asked).json()
            found += [_published(each) for each in answer["versions"]]
            if not answer["versions"] or len(found) >= answer["count"]:
                return found

    def text(self, version: PublishedVersion) -> str:
        """The document of a version, in whatever state it is.

        Raises:
            PalisadeError: the registry refuses, or does not answer.
        """
        # By its number: under its name, the registry hides what is disabled.
        return self._ask("GET", f"/ids/contentIds/{version.content}").text

    def add(self, name: str, version: str, *, title: str, text: str, labels: dict[str, str]) -> None:
        """Publish a version that is not there yet.

        Args:
            name: The name of the API.
            version: The new version.
            title: The API's title.
            text: The document.
            labels: What else is kept of the version.

        Raises:
            PalisadeError: the registry refuses, or does not answer.
        """
        first = {
            "version": version,
            "content": {"content": text, "contentType": "application/x-yaml"},
            "labels": labels,
        }
        made = self._ask("GET", f"/groups/{GROUP}/artifacts/{quote(name)}", allowed=HTTPStatus.NOT_FOUND)
        if made.status_code == HTTPStatus.NOT_FOUND:
            body = {"artifactId": name, "artifactType": "OPENAPI", "name": title, "firstVersion": first}
            self._ask("POST", f"/groups/{GROUP}/artifacts", body=body)
        else:
            self._ask("POST", f"/groups/{GROUP}/artifacts/{quote(name)}/versions", body=first)

    def set_state(self, name: str, version: str, state: LifecycleState) -> None:
        """Move a version to another state of its life.

        Raises:
            PalisadeError: the registry refuses, or does not answer.
        """
        place = f"/groups/{GROUP}/artifacts/{quote(name)}/versions/{quote(version)}/state"
        self._ask("PUT", place, body={"state": state.value})

    def _ask(
        self,
        method: str,
        path: str,
        *,
        parameters: dict[str, Any] | None = None,
        body: Any = None,
        allowed: HTTPStatus | None = None,
    ) -> httpx.Response:
        address = f"{method} {str(self.http.base_url).rstrip('/')}{_PATH}{path}"
        headers = {"X-Request-ID": str(uuid.uuid4())}
        try:
            answer = self.http.request(method, f"{_PATH}{path}", params=parameters, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise PalisadeError(
                f"The registry does not answer: {error}.",
                where=address,
                remedy="check the address, and that its certificate is signed by the root CA that was given",
            ) from error
        if answer.is_success or answer.status_code == allowed:
            return answer
        raise PalisadeError(
            f"The registry answered with {answer.status_code}: {_said(answer)}", where=address, remedy=_remedy(answer)
        )


@contextmanager
def connected(address: str, *, authority: Path | None, token: str) -> Iterator[Registry]:
    """A registry, for as long as it is used.

    Args:
        address: ``https://host:port``.
        authority: The root CA that its certificate leads to; None for those that the machine trusts.
        token: Says who asks.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    verify = ssl.create_default_context(cafile=None if authority is None else str(authority))
    with httpx.Client(base_url=address, headers=headers, verify=verify, timeout=_SECONDS, trust_env=False) as http:
        yield Registry(http)


def _published(found: dict[str, Any]) -> PublishedVersion:
    labels = found.get("labels") or {}
    return PublishedVersion(
        name=found["artifactId"],
        version=found["version"],
        state=found["state"],
        owner=labels.get(OWNER_LABEL, ""),
        git_commit=labels.get(COMMIT_LABEL, ""),
        published=found["createdOn"],
        changed=found.get("modifiedOn") or "",
        content=found["contentId"],
    )


def _said(answer: httpx.Response) -> str:
    try:
        document = answer.json()
        said = str(document.get("title") or document.get("detail") or document)
    except (ValueError, AttributeError):
        said = " ".join(answer.text.split()) or answer.reason_phrase
    return said[:_SHOWN_CHARACTERS]


def _remedy(answer: httpx.Response) -> str:
    remedies = {
        HTTPStatus.UNAUTHORIZED: "give a token that has not expired, with --token or PALISADE_TOKEN",
        HTTPStatus.FORBIDDEN: "use a token of somebody who may administer the registry",
        HTTPStatus.SERVICE_UNAVAILABLE: "wait until the registry's pods are ready; its access decisions fail closed",
    }
    return remedies.get(HTTPStatus(answer.status_code), "look at the registry's log")
