"""Programs that come as an archive, unpacked for the images that are made from them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from palisade.local.contents import KEY_CHARACTERS, digest_of
from palisade.local.image import PARTIAL
from palisade.local.mounts import remove_tree
from palisade.local.processes import run

ARCHIVE = ".tar.gz"
"""How the name of such a program ends."""
_EXTRACT = ("tar", "--extract", "--same-permissions", "--no-same-owner")
"""Not with Python, which extracts safely from 3.11.4 on only: Debian 12 has 3.11.2."""


@dataclass(frozen=True)
class Unpacked:
    """Some archives, unpacked: a directory of its own for each, named like the archive.

    Args:
        archives: The archives; their names end with :data:`ARCHIVE`.
        cache: Where unpacked archives are kept.
    """

    archives: tuple[Path, ...]
    cache: Path

    @property
    def directory(self) -> Path:
        """The unpacked archives in the cache; another place for other archives."""
        contents = "".join(f"{archive.name} {digest_of(archive).hex()}\n" for archive in self.archives)
        return self.cache / f"container-unpacked-{hashlib.sha256(contents.encode()).hexdigest()[:KEY_CHARACTERS]}"

    def unpack(self) -> bool:
        """Have the unpacked archives in the cache; they appear whole or not at all.

        Returns:
            Whether it had to be done.
        """
        directory = self.directory
        if directory.is_dir():
            return False
        partial = self.cache / f"{directory.name}-{os.getpid()}{PARTIAL}"
        partial.mkdir(parents=True)
        try:
            for archive in self.archives:
                place = partial / archive.name.removesuffix(ARCHIVE)
                place.mkdir()
                run((*_EXTRACT, f"--file={archive}", f"--directory={place}"))
            partial.rename(directory)
        finally:
            remove_tree(partial)
        return True
