"""The images that the local cluster itself runs from: made here from ``images/<name>/Containerfile``.

No image registry takes part: an image starts from nothing, and gets files of its own folder, of the node image (what
Debian has) and of the programs that ``palisade tools`` has ready. The result is an OCI image layout, a directory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palisade.local.contents import key_of
from palisade.local.engine import Engine
from palisade.local.image import PARTIAL, HostImage, remove_partial_builds
from palisade.local.linked import link_or_copy

RECIPE = "Containerfile"
FROM_PROGRAMS = ("COPY", "--from=programs")
"""How a recipe asks for one of the programs; the third word is its name."""
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
    """

    source: Path
    cache: Path
    node: HostImage
    programs: Path

    @property
    def name(self) -> str:
        """The name of the image."""
        return self.source.name

    @property
    def key(self) -> str:
        """Changes whenever something does that the image is made from: 16 hexadecimal digits."""
        return key_of(self.source, others=[self.node.key], files=self._copied_programs())

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
            f"--build-context=node=container-image://{self.node.name}",
            f"--build-context=programs={self.programs}",
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

    def _build(self, engine: Engine, built: Path) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        remove_partial_builds(self.cache)
        tag = f"localhost/palisade/{self.name}:{self.key}"
        partial = self.cache / f"{built.name}-{os.getpid()}{PARTIAL}"
        try:
            engine.run(*self.build_arguments(tag))
            engine.run("push", "--quiet", tag, f"oci:{partial}")
            partial.rename(built)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            engine.attempt("image", "rm", "--force", tag)

    def _copied_programs(self) -> Iterator[Path]:
        for line in (self.source / RECIPE).read_text(encoding="utf-8").splitlines():
            words = line.split()
            if tuple(words[:2]) == FROM_PROGRAMS:
                yield self.programs / words[2]


def container_images(folder: Path, *, node: HostImage, programs: Path) -> list[ContainerImage]:
    """The images that the folder ``images`` of a project describes, by name.

    Args:
        folder: That folder.
        node: The image that holds what Debian has.
        programs: Where the programs are.
    """
    sources = sorted(recipe.parent for recipe in folder.glob(f"*/{RECIPE}"))
    return [ContainerImage(source=source, cache=node.cache, node=node, programs=programs) for source in sources]


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
