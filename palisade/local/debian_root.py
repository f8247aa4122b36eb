"""The root file systems of images that need more than a static program: Debian packages, unpacked and not installed.

An image names them in ``images/<name>/packages``. What every such root has, lacks and gets is in ``images/debian``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from palisade.local.contents import key_of
from palisade.local.image import CONTAINED, PARTIAL
from palisade.local.mounts import remove_tree
from palisade.local.processes import run

PACKAGES = "packages"
"""The file of an image that names its packages."""
BASE = "debian"
"""The folder of ``images`` that is for all of them."""


def listed(file: Path) -> tuple[str, ...]:
    """What a file names: one thing a line, without empty lines and comments."""
    lines = (line.strip() for line in file.read_text(encoding="ascii").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True)
class DebianRoot:
    """A directory with some Debian packages and what they depend on; images with the same packages share it.

    Args:
        base: The folder ``images/debian``.
        suite: The Debian release, by its code name.
        packages: The packages that are added to those of every root.
        cache: Where built roots are kept.
    """

    base: Path
    suite: str
    packages: tuple[str, ...]
    cache: Path

    @property
    def key(self) -> str:
        """Changes whenever something does that it is made from: 16 hexadecimal digits."""
        return key_of(self.base, others=[self.suite, *self.packages])

    @property
    def directory(self) -> Path:
        """The built root in the cache."""
        return self.cache / f"container-root-{self.suite}-{self.key}"

    def build_arguments(self, directory: Path) -> tuple[str, ...]:
        """The command that unpacks the packages into ``directory``."""
        return (
            *CONTAINED,
            *("mmdebstrap", "--quiet", "--variant=extract", "--format=directory"),
            f"--include={','.join((*listed(self.base / PACKAGES), *self.packages))}",
            *_filters("path-exclude", listed(self.base / "excluded")),
            *_filters("path-include", listed(self.base / "included")),
            f"--extract-hook={self.base / 'describe'}",
            self.suite,
            str(directory),
        )

    def build(self) -> bool:
        """Have the root in the cache; it appears whole or not at all.

        Returns:
            Whether it had to be built.

        Raises:
            PalisadeError: mmdebstrap failed.
        """
        built = self.directory
        if built.is_dir():
            return False
        self.cache.mkdir(parents=True, exist_ok=True)
        workplace = self.cache / f"{built.name}-{os.getpid()}{PARTIAL}"
        workplace.mkdir()
        try:
            run(
                self.build_arguments(workplace / "root"),
                environment={"TMPDIR": str(workplace), "SOURCE_DATE_EPOCH": "0"},
                remedy="check that this machine reaches a Debian mirror, then run the same command again",
            )
            run([str(self.base / "finish"), str(workplace / "root")])
            (workplace / "root").rename(built)
        finally:
            remove_tree(workplace)
        return True


def _filters(option: str, patterns: Iterable[str]) -> Iterable[str]:
    return (f"--dpkgopt={option}={pattern}" for pattern in patterns)
