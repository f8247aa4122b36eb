"""Asks an image registry which image a tag means: the OCI Distribution Specification 1.1, and nothing of one product.

Only reads. A registry that wants to know who asks gets what ``podman login`` or ``docker login`` has saved.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from palisade.errors import PalisadeError

MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
"""What a digest may name: an image, or one image for each platform."""
DIGEST_HEADER = "Docker-Content-Digest"
ANSWER_SECONDS = 20.0
_LARGEST_MANIFEST = 4 * 1024 * 1024
"""What every registry must take at least is the most that is read (specification, "Pushing Manifests")."""
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Image:
    """One image of a registry, by a name that may change.

    Args:
        registry: The host, and the port where there is one.
        repository: The path.
        tag: The tag.
    """

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}:{self.tag}"


class ImageRegistries:
    """Registries, as this user may read them.

    Args:
        ca_file: The authorities that sign their certificates; None for those that this machine trusts.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        trust: ssl.SSLContext = _context(ca_file)
        self._client = httpx.Client(verify=trust, timeout=ANSWER_SECONDS, follow_redirects=False)
        self._credentials = _saved_credentials()

    def digest(self, image: Image) -> str:
        """The digest of what a tag means now, computed here from what the registry sent.

        Args:
            image: The image.

        Raises:
            PalisadeError: the registry cannot be reached or is not trusted, does not have the image, does not let this
                user read it, or sends something else than an image or than it says.
        """
        answer = self._manifest(image)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type not in MEDIA_TYPES:
            raise PalisadeError(
                f"The registry answers with something that is not an image: {media_type or 'no media type'}.",
                where=str(image),
                allowed=", ".join(MEDIA_TYPES),
            )
        computed = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        said = answer.headers.get(DIGEST_HEADER, computed)
        if said != computed:
            raise PalisadeError(
                f"The registry says that the digest is {said}, and what it sent has {computed}.",
                where=str(image),
                remedy="do not use this image; find out what stands between this machine and the registry",
            )
        return computed

    def _manifest(self, image: Image) -> httpx.Response:
        url = f"https://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
        headers = {"Accept": ", ".join(MEDIA_TYPES)}
        answer = self._get(url, image, headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            answer = self._get(url, image, {**headers, **self._authorisation(answer, image)})
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise _unauthorised(image)
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise PalisadeError(
                f"The registry has no image {image}.",
                where=f"https://{image.registry}",
                remedy="push it, or write another tag or repository to image_sources",
            )
        if answer.status_code != httpx.codes.OK:
            raise PalisadeError(
                f"The registry answers with {answer.status_code} {answer.reason_phrase}.",
                where=str(image),
                remedy="run the same command again later; its operator can say what is wrong",
            )
        return answer

    def _get(self, url: str, image: Image, headers: Mapping[str, str]) -> httpx.Response:
        try:
            answer = self._client.get(url, headers=headers)
        except httpx.HTTPError as error:
            raise PalisadeError(
                f"The registry {image.registry} cannot be reached: {error or type(error).__name__}.",
                where=url,
                remedy="check its name in image_sources, the network, and for a certificate that is not trusted, "
                "image_sources.ca_file",
            ) from error
        if len(answer.content) > _LARGEST_MANIFEST:
            raise PalisadeError(
                f"The registry sent {len(answer.content)} bytes, which is no manifest.",
                where=url,
                allowed=f"at most {_LARGEST_MANIFEST} bytes",
            )
        return answer

    def _authorisation(self, refusal: httpx.Response, image: Image) -> Mapping[str, str]:
        """What the registry asked for: a token that its authorisation service gives, or name and password."""
        scheme, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        own = self._credentials.get(image.registry)
        basic = {"Authorization": f"Basic {own}"} if own else {}
        if scheme.lower() == "basic":
            return basic
        asked = dict(_PARAMETER.findall(rest))
        realm = asked.get("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith("https://"):
            raise PalisadeError(
                f"The registry {image.registry} asks for an authorisation that is not known: {scheme or 'none'}.",
                where=str(image),
                allowed="Basic, or Bearer with a realm that starts with https://",
            )
        wanted = {
            "service": asked.get("service", ""),
            "scope": asked.get("scope") or f"repository:{image.repository}:pull",
        }
        answer = self._get(str(httpx.URL(realm, params=wanted)), image, basic)
        token = _token(answer) if answer.status_code == httpx.codes.OK else ""
        if not token:
            raise _unauthorised(image)
        return {"Authorization": f"Bearer {token}"}


def _token(answer: httpx.Response) -> str:
    try:
        document: Any = answer.json()
    except ValueError:
        return ""
    found = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else ""
    return str(found or "")


def _unauthorised(image: Image) -> PalisadeError:
    return PalisadeError(
        f"The registry {image.registry} does not let you read {image.repository}.",
        where=str(image),
        remedy=f"podman login {image.registry} (or docker login), with an account that may pull",
    )


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file.expanduser()) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise PalisadeError(
            f"The file with certificates cannot be used: {error.strerror or error}.",
            where=f"image_sources.ca_file: {ca_file}",
            allowed="certificates in PEM form",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _saved_credentials() -> Mapping[str, str]:
    """By registry, ``name:password`` in Base64, as podman and docker save it (containers-auth.json(5))."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    docker = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    places = [docker, *([Path(runtime) / "containers/auth.json"] if runtime else [])]
    chosen = os.environ.get("REGISTRY_AUTH_FILE")
    found: dict[str, str] = {}
    for place in [Path(chosen)] if chosen else places:
        try:
            entries = json.loads(place.read_text(encoding="utf-8")).get("auths", {})
        except (OSError, ValueError, AttributeError):
            continue
        for registry, entry in entries.items():
            saved = entry.get("auth", "") if isinstance(entry, dict) else ""
            if saved and b":" in base64.b64decode(saved):
                found[registry.removeprefix("https://").partition("/")[0]] = saved
    return found
