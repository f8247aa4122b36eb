"""Where the container images of an environment come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from palisade.config_values import matches
from palisade.validation import Allowed, Section

ImageRepository = Annotated[
    str,
    matches(
        r"[a-z0-9-]+(?:(?:\.[a-z0-9-]+)+(?::[0-9]+)?|:[0-9]+)(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*",
        "an image registry and a path in it, such as registry.example.com/palisade, without https://",
    ),
]
ImageTag = Annotated[
    str,
    matches(
        r"(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
        "a tag such as 0.1.0, in quotes; letters, digits, ., _ and -; never latest",
    ),
]
CertificatePath = Annotated[
    Path,
    Allowed(
        "the path of a file with certificates, absolute or from the home directory",
        types=(str,),
        test=lambda path: str(path).startswith(("/", "~/")),
    ),
]


class ImageSources(Section):
    """Where ``palisade images pin`` looks for images: that of a component is ``<repository>/<component>:<tag>``."""

    repository: ImageRepository
    """The image registry and the path in it that all images have in common."""
    tag: ImageTag
    """The tag of all images: the release of Palisade that they were built from."""
    ca_file: CertificatePath | None = None
    """The authorities that sign the registry's certificate. Default: those that this machine trusts."""
