"""Which image exactly each component of an environment runs: by its digest, never by a name that may change."""

from __future__ import annotations

import json
from pathlib import Path

from palisade.config import FleetConfiguration
from palisade.config_cluster import CertManager
from palisade.errors import ConfigurationError
from palisade.project import fleet_state_directory

LOCAL_REPOSITORY = "registry.palisade.internal/palisade"
"""Where the nodes of a local fleet find images; the registry is the fleet's own."""


EVERYWHERE = ("envoy", "opa", "apicurio-registry")
"""What the registry pod is made of."""
CERT_MANAGER = "cert-manager"
FLUENTD = "fluentd"
ONLY_LOCAL = ("upstream",)
"""Stands in for somebody's API."""


def needed_images(configuration: FleetConfiguration) -> tuple[str, ...]:
    """The images that an environment runs from, in the order of the alphabet; none without a cluster."""
    if configuration.cluster is None:
        return ()
    installed = [CERT_MANAGER] if configuration.cluster.cert_manager is CertManager.INSTALL else []
    collector = [FLUENTD] if any(configuration.audit.sinks.each()) else []
    return tuple(sorted([*EVERYWHERE, *installed, *(ONLY_LOCAL if configuration.is_local else collector)]))


def refuse_missing_pins(configuration: FleetConfiguration) -> None:
    """Refuse an environment that would run an image without knowing which one exactly; a local fleet builds its own.

    Raises:
        ConfigurationError: some images are not pinned; it names all of them.
    """
    if configuration.is_local:
        return
    missing = [name for name in needed_images(configuration) if name not in configuration.images]
    if missing:
        raise ConfigurationError(
            f"Images are not pinned: {', '.join(missing)}.",
            where=f"Pulumi.{configuration.environment}.yaml: fleet.images",
            allowed="each with its digest: repository:tag@sha256:<64 hexadecimal digits>",
            remedy=f"palisade images pin {configuration.environment}",
        )


def image_reference(configuration: FleetConfiguration, name: str) -> str:
    """The image that a component runs.

    Args:
        configuration: The environment.
        name: The image's name: the folder under ``images``.

    Raises:
        ConfigurationError: the environment has not pinned the image, or the local fleet has not built it.
    """
    if name in configuration.images:
        return configuration.images[name]
    if configuration.is_local:
        return local_reference(configuration.environment, name)
    raise ConfigurationError(
        f"The image {name} is not pinned.",
        where=f"Pulumi.{configuration.environment}.yaml: fleet.images.{name}",
        allowed="repository:tag@sha256:<64 hexadecimal digits>",
        remedy=f"palisade images pin {configuration.environment}",
    )


def local_reference(environment: str, name: str) -> str:
    """The image that a local fleet has built.

    Args:
        environment: The name of the fleet.
        name: The image's name.

    Raises:
        ConfigurationError: the fleet has no such image.
    """
    index: Path = fleet_state_directory(environment) / "images" / name / "index.json"
    try:
        digest = json.loads(index.read_text(encoding="utf-8"))["manifests"][0]["digest"]
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"The local fleet {environment} has no image {name}.",
            where=str(index.parent),
            remedy=f"palisade local up --environment {environment}",
        ) from error
    return f"{LOCAL_REPOSITORY}/{name}@{digest}"
