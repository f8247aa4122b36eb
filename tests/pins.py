"""Digests for the images of an environment that is shipped without any: of no image, good enough to declare one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from palisade.config import CONFIGURATION_KEY, parse_configuration
from palisade.images.pins import with_pins
from palisade.images.references import needed_images


def pins(environment: str, fleet: Mapping[str, Any]) -> dict[str, str]:
    """A reference for each image that the environment runs; none in a local fleet."""
    configuration = parse_configuration(fleet, environment=environment, file="a test")
    names = () if configuration.is_local else needed_images(configuration)
    return {name: f"registry.example.com/palisade/{name}:0.1.0@sha256:{'5' * 64}" for name in names}


def pinned_project(checkout: Path, environment: str, directory: Path) -> Path:
    """A project like the checkout whose environment is pinned; everything but that one file is the checkout's."""
    directory.mkdir()
    file = f"Pulumi.{environment}.yaml"
    for path in checkout.iterdir():
        if path.name != file:
            (directory / path.name).symlink_to(path)
    text = (checkout / file).read_text(encoding="utf-8")
    fleet = yaml.safe_load(text)["config"][CONFIGURATION_KEY]
    (directory / file).write_text(with_pins(text, pins(environment, fleet), file), encoding="utf-8")
    return directory
