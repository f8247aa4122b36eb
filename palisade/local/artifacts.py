"""Archives that images are made from and that Maven Central carries: fetched by Maven, known by their digest, unpacked.

An image names them in ``images/<name>/artifacts``, one a line: Maven coordinates
(``group:artifact:version:packaging:classifier``) and ``sha256:`` with the digest of the archive.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import ConfigurationError, MachineError, PalisadeError
from palisade.local.contents import KEY_CHARACTERS
from palisade.local.debian_root import listed
from palisade.local.image import PARTIAL
from palisade.local.mounts import remove_tree
from palisade.local.processes import run

ARTIFACTS = "artifacts"
"""The file of an image that names its archives."""
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
_LINE = re.compile(
    r"(?P<coordinates>[\w.-]+:(?P<name>[\w.-]+):[\w.-]+:tar\.gz(?::[\w.-]+)?) sha256:(?P<digest>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Artifact:
    """One archive.

    Args:
        coordinates: How Maven names it.
        name: Its artifact, which is also the directory that it is unpacked into.
        digest: SHA-256 of the archive, in hexadecimal digits.
    """

    coordinates: str
    name: str
    digest: str


@dataclass(frozen=True)
class Artifacts:
    """The archives of one image, unpacked: one directory each.

    Args:
        file: ``images/<name>/artifacts``.
        cache: Where unpacked archives are kept.
    """

    file: Path
    cache: Path

    @property
    def archives(self) -> tuple[Artifact, ...]:
        """What the file names.

        Raises:
            ConfigurationError: a line is not what it should be.
        """
        found = []
        for line in listed(self.file):
            match = _LINE.fullmatch(line)
            if match is None:
                raise ConfigurationError(
                    f"'{line}' is not allowed.",
                    where=f"images/{self.file.parent.name}/{ARTIFACTS}",
                    allowed="group:artifact:version:tar.gz or group:artifact:version:tar.gz:classifier, "
                    "a space and sha256:DIGEST",
                )
            found.append(Artifact(match["coordinates"], match["name"], match["digest"]))
        return tuple(found)

    @property
    def directory(self) -> Path:
        """The unpacked archives in the cache; another place for other archives."""
        names = "\n".join(f"{artifact.name} {artifact.digest}" for artifact in self.archives)
        return self.cache / f"container-artifacts-{hashlib.sha256(names.encode()).hexdigest()[:KEY_CHARACTERS]}"

    def fetch(self) -> bool:
        """Have the unpacked archives in the cache; they appear whole or not at all.

        Returns:
            Whether they had to be fetched.

        Raises:
            MachineError: Maven is not there.
            PalisadeError: Maven failed, or an archive has another digest.
        """
        unpacked = self.directory
        if unpacked.is_dir():
            return False
        if shutil.which("mvn") is None:
            raise MachineError(
                "The program mvn is not there, which fetches archives that images are made from.",
                where=str(self.file),
                remedy="run as root: apt-get install --yes --no-install-recommends maven",
            )
        self.cache.mkdir(parents=True, exist_ok=True)
        workplace = self.cache / f"{unpacked.name}-{os.getpid()}{PARTIAL}"
        workplace.mkdir()
        try:
            for artifact in self.archives:
                _unpack(artifact, _fetched(artifact, workplace / f"{artifact.name}.fetched"), workplace / "unpacked")
            (workplace / "unpacked").rename(unpacked)
        finally:
            remove_tree(workplace)
        return True


def _fetched(artifact: Artifact, directory: Path) -> Path:
    run(
        [
            "mvn",
            "--batch-mode",
            "--quiet",
            COPY_GOAL,
            f"-Dartifact={artifact.coordinates}",
            f"-DoutputDirectory={directory}",
        ],
        remedy="check that Maven reaches Maven Central or its mirror, then run the same command again",
    )
    (archive,) = directory.iterdir()
    return archive


def _unpack(artifact: Artifact, archive: Path, target: Path) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != artifact.digest:
        raise PalisadeError(
            f"{artifact.coordinates} is not the archive that is pinned: its digest is sha256:{digest}.",
            allowed=f"sha256:{artifact.digest}",
            remedy="find out who changed it; if it is meant, pin the new digest",
        )
    with tarfile.open(archive) as packed:
        packed.extractall(target / artifact.name, filter="data")
    archive.unlink()
