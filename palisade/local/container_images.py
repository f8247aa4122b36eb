"""The images that the local cluster itself runs from: made here from ``images/<name>/Containerfile``.

No image registry takes part: an image starts from nothing, and gets files of its own folder and of the build contexts
that its recipe names: ``programs`` (what ``palisade tools`` has ready), ``debian`` (a root with the Debian packages of
its file ``packages``), ``unpacked`` (the programs that are archives, unpacked) and ``node`` (the node image, for static
programs). The result is an OCI image layout, a directory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from palisade.errors import ConfigurationError
from palisade.local.concurrency import for_each
from palisade.local.contents import key_of
from palisade.local.debian_root import BASE, PACKAGES, DebianRoot, listed
from palisade.local.engine import Engine
from palisade.local.image import PARTIAL, HostImage, remove_partial_builds
from palisade.local.linked import link_or_copy
from palisade.local.unpacked import ARCHIVE, Unpacked

RECIPE = "Containerfile"
BUILT_ELSEWHERE = "elsewhere"
"""The file of an image that cannot be built on every machine; it says why, and the local cluster does without."""
CONTEXT = "--from="
"""How a recipe asks for a file of a build context; of ``programs`` and ``unpacked``, the next word is its name."""
INDEX = "index.json"
"""Names the manifest of the image by its digest (OCI Image Format Specification 1.1, image-layout)."""


@dataclass(frozen=True)
class ContainerImage:
    """One folder of ``images`` with a recipe.

    Args:
        source: The folder; its name is the image's.
        cache: Where built images are kept.
        node: The image that holds what Debian has.
        programs: Where the programs are.
        debian: The root with its Debian packages, if it names any.
    """

    source: Path
    cache: Path
    node: HostImage
    programs: Path
    debian: DebianRoot | None = None

    @property
    def name(self) -> str:
        """The name of the image."""
        return self.source.name

    @property
    def key(self) -> str:
        """Changes whenever something does that the image is made from: 16 hexadecimal digits."""
        others = [self.node.key] if "node" in self._contexts else []
        others += [self.debian.key] if self.debian else []
        archives = self.unpacked.archives if self.unpacked else ()
        return key_of(self.source, others=others, files=[*self._copied("programs"), *archives])

    @property
    def unpacked(self) -> Unpacked | None:
        """The archives that the recipe asks for, if any."""
        archives = tuple(path.with_name(f"{path.name}{ARCHIVE}") for path in self._copied("unpacked"))
        return Unpacked(archives, self.cache) if archives else None

    @property
    def built(self) -> Path:
        """The image in the cache."""
        return self.cache / f"container-{self.name}-{self.key}"

    def build_arguments(self, tag: str) -> tuple[str, ...]:
        """The podman command that builds the image under a name in the engine.

        The same content gives the same bytes: one layer, and no times but the first second of 1970.
        """
        return (
            "build",
            "--quiet",
            "--format=oci",
            "--timestamp=0",
            "--layers=false",
            # A step of a recipe runs a static program in a plain directory. Podman offers no other network for that.
            *("--isolation=chroot", "--network=host"),
            "--pull=never",
            *(f"--build-context={name}={place}" for name, place in self._contexts.items()),
            f"--tag={tag}",
            str(self.source),
        )

    def provide(self, engine: Engine, place: Path) -> str:
        """Have the image in a directory of the fleet, after building it where needed.

        Args:
            engine: The engine, with the node image in it.
            place: The directory of all images of the fleet.

        Returns:
            What had to be done, in words.

        Raises:
            PalisadeError: podman failed.
        """
        built = self.built
        there = place / self.name
        if _index(there) is not None and _index(there) == _index(built):
            return "there"
        word = "taken from the cache" if built.is_dir() else "built"
        if word == "built":
            self._build(engine, built)
        _put(built, there)
        return word

    @property
    def _contexts(self) -> dict[str, str]:
        """The build contexts that the recipe uses, and where they are."""
        places = {
            "node": f"container-image://{self.node.name}",
            "programs": str(self.programs),
            "debian": str(self.debian.directory) if self.debian else "",
            "unpacked": str(self.unpacked.directory) if self.unpacked else "",
        }
        used = {word.removeprefix(CONTEXT) for word in self._words if word.startswith(CONTEXT)}
        unknown = sorted(name for name in used if not places.get(name))
        if unknown:
            raise ConfigurationError(
                f"The recipe asks for the build context {unknown[0]}, which the image does not have.",
                where=f"images/{self.name}/{RECIPE}",
                allowed=", ".join(name for name, place in places.items() if place),
                remedy=f"name Debian packages in images/{self.name}/{PACKAGES}" if unknown[0] == BASE else None,
            )
        return {name: place for name, place in places.items() if name in used}

    @property
    def _words(self) -> list[str]:
        lines = (self.source / RECIPE).read_text(encoding="utf-8").splitlines()
        return [word for line in lines if line.startswith("COPY ") for word in line.split()]

    def _build(self, engine: Engine, built: Path) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        tag = f"localhost/palisade/{self.name}:{self.key}"
        partial = self.cache / f"{built.name}-{os.getpid()}{PARTIAL}"
        try:
            engine.run(*self.build_arguments(tag))
            engine.run("push", "--quiet", tag, f"oci:{partial}")
            partial.rename(built)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            engine.attempt("image", "rm", "--force", tag)

    def _copied(self, context: str) -> Iterator[Path]:
        for asked, name in pairwise(self._words):
            if asked == f"{CONTEXT}{context}":
                yield self.programs / name


def container_images(folder: Path, *, node: HostImage, programs: Path) -> list[ContainerImage]:
    """The images that the folder ``images`` of a project describes and that every machine can build, by name.

    Args:
        folder: That folder.
        node: The image that holds what Debian has.
        programs: Where the programs are.
    """
    sources = sorted(recipe.parent for recipe in folder.glob(f"*/{RECIPE}"))
    return [
        ContainerImage(
            source=source,
            cache=node.cache,
            node=node,
            programs=programs,
            debian=_debian_root(source, node),
        )
        for source in sources
        if not (source / BUILT_ELSEWHERE).exists()
    ]


def provide_images(images: Sequence[ContainerImage], engine: Engine, place: Path) -> dict[str, str]:
    """Have all these images in a directory of the fleet; what is missing is built at the same time.

    Args:
        images: The images.
        engine: The engine, with the node image in it.
        place: The directory of all images of the fleet.

    Returns:
        What had to be done for each, in words.

    Raises:
        PalisadeError: a build failed, or a build context could not be had.
        ConfigurationError: a recipe, or a file beside it, is refused.
    """
    missing = [image for image in images if not image.built.is_dir()]
    for cache in {image.cache for image in missing}:
        remove_partial_builds(cache)
    # Images with the same packages share one root, which must not be built twice at the same time.
    roots = dict.fromkeys(image.debian for image in missing if image.debian)
    archives = dict.fromkeys(image.unpacked for image in missing if image.unpacked)
    for_each([*(root.build for root in roots), *(one.unpack for one in archives)], lambda have, _: have())
    words = for_each(images, lambda image, _: image.provide(engine, place))
    return {image.name: word for image, word in zip(images, words, strict=True)}


def _debian_root(source: Path, node: HostImage) -> DebianRoot | None:
    file = source / PACKAGES
    if not file.exists():
        return None
    return DebianRoot(base=source.parent / BASE, suite=node.suite, packages=listed(file), cache=node.cache)


def _index(layout: Path) -> str | None:
    try:
        return (layout / INDEX).read_text(encoding="utf-8")
    except OSError:
        return None


def _put(layout: Path, target: Path) -> None:
    """Put an image into its place; its index appears last, so what was interrupted is done again."""
    shutil.rmtree(target, ignore_errors=True)
    for path in sorted(layout.rglob("*"), key=lambda path: (path.name == INDEX, path)):
        if path.is_file():
            link_or_copy(path, target / path.relative_to(layout))
