"""One cluster: requests over pooled connections, and where each kind of object is served."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from kubernetes_provider.failures import AnswerError, UnknownKindError, UnreachableError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECTIONS = 64
"""How many connections stay open; more are opened when more operations run at once."""
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
NOT_FOUND = 404
CREATED = 201
CONFLICT = 409
INVALID = 422
FIRST_ERROR = 400

APPLY_PATCH = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class Kind:
    """A kind of object: its ``apiVersion`` and ``kind``."""

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def prefix(self) -> str:
        """The path of its API version: ``/api/v1``, ``/apis/apps/v1``."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"


@dataclass(frozen=True)
class Endpoint:
    """Where the API server serves a kind."""

    kind: Kind
    plural: str
    namespaced: bool

    def collection(self, namespace: str | None) -> str:
        """The path of all objects of the kind (in a namespace)."""
        middle = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{self.kind.prefix}{middle}/{self.plural}"

    def one(self, namespace: str | None, name: str) -> str:
        """The path of one object."""
        return f"{self.collection(namespace)}/{quote(name)}"


class Cluster:
    """The API server of one cluster; safe for use by many threads.

    Args:
        client: Knows the address, the certificates and how to log in (a kubeconfig, with its exec plugins).
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._endpoints: dict[Kind, Endpoint] = {}

        self._lock = threading.Lock()

    @property
    def server(self) -> str:
        """The address of the API server."""
        return str(self._client.configuration.host)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The JSON that is served at a path.

        Raises:
            AnswerError: the server refuses.
            UnreachableError: nobody answers.
        """
        return self.request("GET", path, query=query)[1]

    def find(self, path: str) -> dict[str, Any] | None:
        """The object at a path; None if it is not there.

        Raises:
            AnswerError: the server refuses for another reason.
            UnreachableError: nobody answers.
        """
        try:
            found: dict[str, Any] = self.get(path)
        except AnswerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return found

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Send one request.

        Returns:
            The HTTP status and the JSON of the answer.

        Raises:
            AnswerError: the server refuses.
            UnreachableError: nobody answers.
        """
        headers = {"Accept": "application/json", "User-Agent": "pulumi-palisade"}
        if body is not None:
            headers["Content-Type"] = content_type
        parameters: list[tuple[str, str]] = []
        self._client.update_params_for_auth(headers, parameters, ["BearerToken"])
        url = self.server + path
        if query:
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        try:
            answer = self._client.rest_client.pool_manager.request(
                method,
                url,
                headers=headers,
                body=None if body is None else json.dumps(body),
                timeout=Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS),
            )
        except HTTPError as error:
            raise UnreachableError(self.server, error) from error
        document = _json(answer.data)
        if answer.status >= FIRST_ERROR:
            raise AnswerError(answer.status, document)
        return answer.status, document

    def endpoint(self, kind: Kind) -> Endpoint:
        """Where a kind is served; the server is asked again for kinds that were not there before.

        Raises:
            UnknownKindError: it does not serve this kind.
        """
        with self._lock:
            found = self._endpoints.get(kind)
        if found is not None:
            return found
        # One thread asks for all others, which would want the same answer.
        with self._lock:
            if kind not in self._endpoints:
                self._endpoints.update(self._discover(kind))
            if kind not in self._endpoints:
                raise UnknownKindError(str(kind))
            return self._endpoints[kind]

    def _discover(self, kind: Kind) -> Iterator[tuple[Kind, Endpoint]]:
        served = self.find(kind.prefix) or {}
        for resource in served.get("resources", []):
            if "/" not in resource["name"]:
                of_kind = Kind(kind.api_version, resource["kind"])
                yield of_kind, Endpoint(of_kind, resource["name"], resource["namespaced"])


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return {"message": data.decode(errors="replace")}
