"""The cluster of an environment, read from its API server; never from the state of the program that made its objects.

Everything is read once per run and shared by all checks, until it is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import DynamicApiError, NotFoundError, ResourceNotFoundError

from palisade.errors import ExitCode, PalisadeError
from palisade.verification.cluster_access import ClusterAccess
from palisade.verification.readings import ReadingFailedError, shortened

TIMEOUT = urllib3.Timeout(connect=5, read=30)
"""Seconds for a connection and for an answer; an idle API server answers within 0.1 s."""
_ValueT = TypeVar("_ValueT")


@dataclass(frozen=True)
class Response:
    """What the API server answered to a bare request."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass
class Cluster:
    """The API server of a cluster; a context manager.

    Args:
        access: How it is reached.
        declared: Reads the manifests that the stack of the environment has applied.
        person: Makes the token of a person, as API clients bring it; None where people log in elsewhere.
    """

    access: ClusterAccess
    declared: Callable[[], list[dict[str, Any]]]
    person: Callable[[str], str] | None = None
    _cache: dict[str, Any] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def server(self) -> tuple[str, int]:
        """The host and the port of the API server."""
        address = urlsplit(self.settings.host)
        return (address.hostname or "", address.port or 443)

    def require_reachable(self) -> None:
        """Ask for a namespace, as the administrator.

        Raises:
            PalisadeError: it does not answer, or not to us (``ExitCode.EXTERNAL``).
        """
        try:
            self.resource("Namespace").get(limit=1)
        except (ApiException, DynamicApiError, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._unreachable(_first_line(error)) from error

    def forget(self) -> None:
        """Forget everything that was read; the next check asks again."""
        self._cache.clear()

    def once(self, key: str, read: Callable[[], _ValueT]) -> _ValueT:
        """What ``read`` returns; it is called the first time only.

        Args:
            key: Names the reading.
            read: Reads it.
        """
        if key not in self._cache:
            self._cache[key] = read()
        value: _ValueT = self._cache[key]
        return value

    def objects(self, kind: str, version: str = "v1", *, namespace: str | None = None) -> list[dict[str, Any]]:
        """The live objects of a kind, by namespace and name; none if the cluster does not know the kind.

        Args:
            kind: Such as ``NetworkPolicy``.
            version: Its API version, such as ``networking.k8s.io/v1``.
            namespace: Only those of this namespace; all when None.
        """
        listed = self.once(f"{version} {kind}", lambda: self._list(kind, version))
        return [one for one in listed if namespace is None or one["metadata"].get("namespace") == namespace]

    def resource(self, kind: str, version: str = "v1") -> Any:
        """The ``kubernetes`` client's resource of a kind: ``get``, ``create``, ``server_side_apply`` ...

        Raises:
            kubernetes.dynamic.exceptions.ResourceNotFoundError: the cluster does not know the kind.
        """
        return self._resources.resources.get(api_version=version, kind=kind)

    def read(self, kind: str, version: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        """One live object, asked for each time; None if there is none."""
        try:
            found = self.resource(kind, version).get(name=name, namespace=namespace)
        except NotFoundError:
            return None
        document: dict[str, Any] = found.to_dict()
        return document

    def refusal(self, manifest: Mapping[str, Any]) -> str | None:
        """Why the API server would not create an object; None if it would. Nothing is created (a dry run).

        Args:
            manifest: The object, with its namespace.
        """
        resource = self.resource(manifest["kind"], manifest["apiVersion"])
        try:
            resource.create(body=dict(manifest), namespace=manifest["metadata"].get("namespace"), dry_run="All")
        except DynamicApiError as error:
            return said(error)
        return None

    def applied(self, manifest: Mapping[str, Any], manager: str) -> dict[str, Any]:
        """What an object would be after its manifest was applied again, by the API server's own reckoning (a dry run).

        Args:
            manifest: What is declared.
            manager: The field manager under which it was applied.

        Raises:
            ReadingFailedError: the API server would refuse it.
        """
        metadata = manifest["metadata"]
        try:
            answer = self.resource(manifest["kind"], manifest["apiVersion"]).server_side_apply(
                body=dict(manifest),
                name=metadata["name"],
                namespace=metadata.get("namespace"),
                field_manager=manager,
                force_conflicts=True,
                dry_run="All",
            )
        except DynamicApiError as error:
            raise ReadingFailedError(f"{metadata['name']} could not be applied again: {said(error)}") from error
        document: dict[str, Any] = answer.to_dict()
        return document

    def may(self, subject: Mapping[str, Any], *, attributes: Mapping[str, str]) -> bool:
        """Whether a subject may do something (SubjectAccessReview, which asks every authorizer of the server).

        Args:
            subject: ``user`` and ``groups``.
            attributes: ``verb``, ``group``, ``resource``, ``subresource``, ``namespace``; or ``verb`` and ``path``.
        """
        asked = "nonResourceAttributes" if "path" in attributes else "resourceAttributes"
        answer = self.resource("SubjectAccessReview", "authorization.k8s.io/v1").create(
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {**subject, asked: dict(attributes)},
            }
        )
        return bool(answer.status.allowed)

    def request(self, path: str, *, as_administrator: bool = True) -> Response:
        """A bare GET request; any status is an answer.

        Args:
            path: The path, from the slash on.
            as_administrator: With the certificate of the kubeconfig; without it the request is anonymous.
        """
        settings = self.settings
        with urllib3.PoolManager(
            ca_certs=settings.ssl_ca_cert,
            cert_file=settings.cert_file if as_administrator else None,
            key_file=settings.key_file if as_administrator else None,
            retries=False,
            timeout=TIMEOUT,
        ) as pool:
            headers = settings.api_key if as_administrator else {}
            answer = pool.request("GET", f"{settings.host}{path}", headers=headers)
        return Response(answer.status, dict(answer.headers), answer.data.decode(errors="replace"))

    def json(self, path: str) -> Any:
        """The answer to a GET request of the administrator, from JSON.

        Raises:
            ReadingFailedError: the API server refuses it.
        """
        answer = self.request(path)
        if answer.status != HTTPStatus.OK:
            said = " ".join(answer.body.split())
            raise ReadingFailedError(f"GET {path} was answered with {answer.status}: {shortened(said)}")
        return json.loads(answer.body)

    def _list(self, kind: str, version: str) -> list[dict[str, Any]]:
        try:
            found = self.resource(kind, version).get().to_dict()["items"]
        except ResourceNotFoundError:
            return []
        # Items of a list come without their kind.
        named = [{"apiVersion": version, "kind": kind, **one} for one in found]
        return sorted(named, key=lambda one: (one["metadata"].get("namespace", ""), one["metadata"]["name"]))

    @cached_property
    def settings(self) -> Any:
        """How the client of Kubernetes reaches the API server."""
        settings = Configuration()
        try:
            config.load_kube_config(
                config_file=None if self.access.kubeconfig is None else str(self.access.kubeconfig),
                context=self.access.context,
                client_configuration=settings,
            )
        except (config.ConfigException, OSError) as error:
            raise self._unreachable(_first_line(error)) from error
        # An API server that was started anew has closed the connections that are kept.
        settings.retries = urllib3.Retry(total=2, backoff_factor=0.2)
        return settings

    @cached_property
    def _resources(self) -> Any:
        directory = self._open.enter_context(TemporaryDirectory(prefix="palisade-"))
        client = self._open.enter_context(ApiClient(self.settings))
        # Without a place of its own the client believes a file in /tmp, which any user of the machine can plant.
        return DynamicClient(client, cache_file=str(Path(directory) / "resources.json"))

    def _unreachable(self, reason: str) -> PalisadeError:
        return PalisadeError(
            f"The cluster cannot be verified: {reason}",
            where=str(self.access),
            remedy="check that its API server answers: kubectl get --raw /readyz (a local fleet: palisade local up)",
            exit_code=ExitCode.EXTERNAL,
        )


def said(error: DynamicApiError) -> str:
    """What the API server said in an error, without the client's traceback."""
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        return _first_line(error)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
