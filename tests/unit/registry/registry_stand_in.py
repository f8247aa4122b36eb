"""Answers as Apicurio Registry 3.3.3 did when it was asked the same (recorded 2026-11-22, on PostgreSQL 15)."""

from __future__ import annotations

import json
from typing import Any

import httpx

from palisade.registry.client import Registry

PREFIX = "/apis/registry/v3"
ARTIFACTS = f"{PREFIX}/groups/apis/artifacts"
PUBLISHED, CHANGED = "2026-11-22T13:41:47Z", "2026-11-23T08:00:00Z"


class StandIn:
    """A registry in memory."""

    def __init__(self) -> None:
        self.versions: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.asked: list[str] = []
        self.refusal: httpx.Response | None = None

    def registry(self) -> Registry:
        return Registry(
            httpx.Client(base_url="https://registry.example:8443", transport=httpx.MockTransport(self._answer))
        )

    def changes(self) -> list[str]:
        """What was asked that changes something, since the last call."""
        found = [each for each in self.asked if not each.startswith("GET ")]
        self.asked.clear()
        return found

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["X-Request-ID"]
        self.asked.append(f"{request.method} {request.url.path}")
        if self.refusal is not None:
            return self.refusal
        body = json.loads(request.content) if request.content else None
        path = request.url.path
        if path == f"{PREFIX}/search/versions":
            return self._search(request.url.params)
        if path.startswith(f"{PREFIX}/ids/contentIds/"):
            return httpx.Response(200, text=self.texts[int(path.rpartition("/")[2]) - 1])
        if request.method == "POST":
            return self._add(path, body)
        parts = path.removeprefix(f"{ARTIFACTS}/").split("/")
        if request.method == "PUT":
            # Both at once, as 3.3.3 does it (asked on 2026-11-23).
            self._of(parts[0], parts[2]).update(state=body["state"], modifiedOn=CHANGED)
            return httpx.Response(204)
        known = any(each["artifactId"] == parts[0] for each in self.versions)
        title = f"No artifact with ID '{parts[0]}' in group 'apis' was found."
        return httpx.Response(200, json={}) if known else httpx.Response(404, json={"title": title, "status": 404})

    def _search(self, asked: httpx.QueryParams) -> httpx.Response:
        assert (asked["groupId"], asked["order"]) == ("apis", "asc")
        found = [each for each in self.versions if asked.get("state", each["state"]) == each["state"]]
        start = int(asked["offset"])
        return httpx.Response(200, json={"count": len(found), "versions": found[start : start + 2]})

    def _add(self, path: str, body: dict[str, Any]) -> httpx.Response:
        name = body["artifactId"] if path == ARTIFACTS else path.removeprefix(f"{ARTIFACTS}/").split("/")[0]
        version = body["firstVersion"] if path == ARTIFACTS else body
        self.texts.append(version["content"]["content"])
        self.versions.append(
            {
                "artifactId": name,
                "version": version["version"],
                "state": "ENABLED",
                "labels": version["labels"],
                "createdOn": PUBLISHED,
                "modifiedOn": PUBLISHED,
                "contentId": len(self.texts),
            }
        )
        return httpx.Response(200, json={})

    def _of(self, name: str, version: str) -> dict[str, Any]:
        return next(each for each in self.versions if (each["artifactId"], each["version"]) == (name, version))
