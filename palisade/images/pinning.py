"""Which images an environment runs, which of them are pinned, and the pinning of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import yaml

from palisade.config import CONFIGURATION_KEY, FleetConfiguration, load_configuration, parse_configuration
from palisade.config_images import ImageSources
from palisade.errors import ConfigurationError, ExitCode, PalisadeError
from palisade.images.pins import with_pins
from palisade.images.references import local_reference, needed_images
from palisade.images.registry import Image, ImageRegistries
from palisade.local.processes import write_whole
from palisade.project import Project
from palisade.validation import nearest


class PinState(StrEnum):
    """How an image stands."""

    PINNED = "pinned"
    MISSING = "missing"
    BUILT = "built"


@dataclass(frozen=True)
class ListedImage:
    """One image of an environment."""

    name: str
    state: PinState
    reference: str
    """The image by its digest; empty while it is missing."""
    source: str
    """Where it comes from, by its tag; empty where that is not said."""


@dataclass(frozen=True)
class Pinned:
    """What was done for one image."""

    name: str
    reference: str
    before: str | None
    """The reference that stood there; None if there was none."""

    @property
    def changed(self) -> bool:
        """Whether the file has another reference now."""
        return self.before != self.reference


def list_images(configuration: FleetConfiguration) -> tuple[ListedImage, ...]:
    """Every image that the environment runs; asks no registry."""
    return tuple(_listed(configuration, name) for name in needed_images(configuration))


def pin_images(project: Project, environment: str, names: Sequence[str] = ()) -> tuple[Pinned, ...]:
    """Ask the registry for the digest of each image and write them to the configuration file, all or none.

    Args:
        project: The project.
        environment: The environment.
        names: The images; all that the environment runs unless given.

    Raises:
        ConfigurationError: the environment has no ``image_sources``, or is a local fleet, which builds its images.
        PalisadeError: there is no image of a name, or the registry does not answer with a digest that can be trusted.
    """
    configuration = load_configuration(project, environment)
    sources = _sources(configuration)
    wanted = _selected(names, needed_images(configuration))
    registries = ImageRegistries(sources.ca_file)
    found = {name: _pinned_reference(sources, name, registries.digest) for name in wanted}
    path = project.environment_file(environment)
    text = path.read_text(encoding="utf-8")
    changed = with_pins(text, found, path.name)
    if changed != text:
        fleet = yaml.safe_load(changed)["config"][CONFIGURATION_KEY]
        after = parse_configuration(fleet, environment=environment, file=f"{path.name}, as it would be")
        if after != configuration.model_copy(update={"images": {**configuration.images, **found}}):
            raise ConfigurationError(
                "The section images cannot be changed as it is written; the file is as it was.",
                where=f"{path.name}: fleet.images",
                remedy="write images: {} and run the same command again",
            )
        write_whole(path, changed, mode=path.stat().st_mode & 0o777)
    return tuple(Pinned(name, found[name], configuration.images.get(name)) for name in wanted)


def _listed(configuration: FleetConfiguration, name: str) -> ListedImage:
    sources = configuration.image_sources
    source = f"{sources.repository}/{name}:{sources.tag}" if sources else ""
    if name in configuration.images:
        return ListedImage(name, PinState.PINNED, configuration.images[name], source)
    if not configuration.is_local:
        return ListedImage(name, PinState.MISSING, "", source)
    try:
        return ListedImage(name, PinState.BUILT, local_reference(configuration.environment, name), f"images/{name}")
    except ConfigurationError:
        return ListedImage(name, PinState.MISSING, "", f"images/{name}")


def _sources(configuration: FleetConfiguration) -> ImageSources:
    file = f"Pulumi.{configuration.environment}.yaml"
    if configuration.is_local:
        raise ConfigurationError(
            f"{configuration.environment} is a local fleet, which builds its images.",
            where=f"{file}: fleet.local",
            remedy=f"palisade local up --environment {configuration.environment}",
        )
    if configuration.image_sources is None:
        raise ConfigurationError(
            "It is not said where the images come from.",
            where=f"{file}: fleet.image_sources",
            allowed="repository and tag, such as {repository: registry.example.com/palisade, tag: 0.1.0}",
            remedy="push the images to a registry of yours (docs/images.md) and write it there",
        )
    return configuration.image_sources


def _selected(names: Sequence[str], known: Iterable[str]) -> tuple[str, ...]:
    known = tuple(known)
    for name in names:
        if name not in known:
            meant = nearest(name, known)
            raise PalisadeError(
                f"The environment runs no image {name}.",
                allowed=", ".join(known),
                remedy=f"did you mean {meant}?" if meant else "leave the name out to pin all of them",
                exit_code=ExitCode.USAGE,
            )
    return tuple(name for name in known if not names or name in names)


def _pinned_reference(sources: ImageSources, name: str, digest: Callable[[Image], str]) -> str:
    registry, _, path = sources.repository.partition("/")
    image = Image(registry, f"{path}/{name}" if path else name, sources.tag)
    return f"{image}@{digest(image)}"
