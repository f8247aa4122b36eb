"""The host image: a bare Debian, built from ``images/host`` and kept under a name made from its content."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from palisade.local.engine import Engine
from palisade.local.mounts import remove_tree
from palisade.local.processes import run

REPOSITORY = "localhost/palisade-host"
CONTAINED = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
"""Runs a program that mounts things so that it, its children and its mounts are gone at once when Palisade is."""
PARTIAL = ".partial"


@dataclass(frozen=True)
class HostImage:
    """What ``images/host`` says.

    Args:
        source: The directory ``images/host``.
        cache: Where built images are kept.
    """

    source: Path
    cache: Path

    @property
    def suite(self) -> str:
        """The Debian release, by its code name."""
        return (self.source / "suite").read_text(encoding="ascii").strip()

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that a bare host has, besides those that every Debian needs."""
        lines = (self.source / "packages").read_text(encoding="ascii").splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))

    @property
    def key(self) -> str:
        """Changes whenever a name, a mode or a byte in ``images/host`` does: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for path in sorted(path for path in self.source.rglob("*") if path.is_file()):
            content = path.read_bytes()
            executable = os.access(path, os.X_OK)
            digest.update(f"{path.relative_to(self.source)} {executable} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()[:16]

    @property
    def name(self) -> str:
        """The name of the image in an engine."""
        return f"{REPOSITORY}:{self.key}"

    @property
    def archive(self) -> Path:
        """The built root file system."""
        return self.cache / f"host-{self.suite}-{self.key}.tar"

    def build_arguments(self, archive: Path) -> tuple[str, ...]:
        """The command that builds the root file system into ``archive``."""
        return (
            *CONTAINED,
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(self.packages)}",
            f"--customize-hook={self.source / 'customize'}",
            self.suite,
            str(archive),
        )

    def build(self) -> bool:
        """Build the root file system unless it is there; the archive appears whole or not at all.

        Returns:
            Whether it had to be built.

        Raises:
            PalisadeError: mmdebstrap failed.
        """
        if self.archive.exists():
            return False
        self.cache.mkdir(parents=True, exist_ok=True)
        self.remove_partial_builds()
        workplace = self.cache / f"{self.archive.stem}-{os.getpid()}{PARTIAL}"
        workplace.mkdir()
        try:
            archive = workplace / "host.tar"
            run(
                self.build_arguments(archive),
                environment={"TMPDIR": str(workplace)},
                remedy="check that this machine reaches a Debian mirror, then run the same command again",
            )
            archive.replace(self.archive)
        finally:
            remove_tree(workplace)
        return True

    def remove_partial_builds(self) -> None:
        """Remove what builds left that were killed; a build that still runs is left alone."""
        for path in self.cache.glob(f"*{PARTIAL}"):
            process = path.name.removesuffix(PARTIAL).rpartition("-")[2]
            if not Path("/proc", process).exists():
                remove_tree(path)

    def provide(self, engine: Engine) -> str:
        """Give the image to the engine, after building it where needed.

        Returns:
            What had to be done, in words.

        Raises:
            PalisadeError: mmdebstrap or podman failed.
        """
        if engine.attempt("image", "exists", self.name).succeeded:
            return "there"
        built = self.build()
        engine.run("import", "--quiet", str(self.archive), self.name)
        return "built" if built else "taken from the cache"
