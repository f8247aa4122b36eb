"""The images that hosts start from: a bare Debian (``images/host``), and one with a node's packages (``images/node``).

Each is kept under a name made from its content.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from palisade.fleet import Fleet, FleetHost
from palisade.local.contents import key_of
from palisade.local.engine import Engine
from palisade.local.mounts import remove_tree
from palisade.local.nodes import is_node
from palisade.local.processes import run

CONTAINED = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)
"""Runs a program that mounts things so that it, its children and its mounts are gone at once when Palisade is."""
PARTIAL = ".partial"


@dataclass(frozen=True)
class HostImage:
    """What ``images/host`` or ``images/node`` says.

    Args:
        source: The directory.
        cache: Where built images are kept.
        base: The image that this one adds to, if any.
    """

    source: Path
    cache: Path
    base: HostImage | None = None

    @property
    def kind(self) -> str:
        """``host`` or ``node``."""
        return self.source.name

    @property
    def suite(self) -> str:
        """The Debian release, by its code name."""
        return self.base.suite if self.base else (self.source / "suite").read_text(encoding="ascii").strip()

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that such a host has, besides those that every Debian needs."""
        lines = (self.source / "packages").read_text(encoding="ascii").splitlines()
        own = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
        return (*self.base.packages, *own) if self.base else own

    @property
    def customizations(self) -> tuple[Path, ...]:
        """The programs that finish the root file system, in this order."""
        own = self.source / "customize"
        return (*self.base.customizations, own) if self.base else (own,)

    @property
    def key(self) -> str:
        """Changes whenever a name, a mode or a byte that it is made from does: 16 hexadecimal digits."""
        return key_of(self.source, others=[self.base.key] if self.base else [])

    @property
    def name(self) -> str:
        """The name of the image in an engine."""
        return f"localhost/palisade-{self.kind}:{self.key}"

    @property
    def archive(self) -> Path:
        """The built root file system."""
        return self.cache / f"{self.kind}-{self.suite}-{self.key}.tar"

    def build_arguments(self, archive: Path) -> tuple[str, ...]:
        """The command that builds the root file system into ``archive``."""
        return (
            *CONTAINED,
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(self.packages)}",
            *(f"--customize-hook={program}" for program in self.customizations),
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
        remove_partial_builds(self.cache)
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


def remove_partial_builds(cache: Path) -> None:
    """Remove what builds left that were killed; a build that still runs is left alone.

    Args:
        cache: Where built images are kept.
    """
    for path in cache.glob(f"*{PARTIAL}"):
        process = path.name.removesuffix(PARTIAL).rpartition("-")[2]
        if not Path("/proc", process).exists():
            remove_tree(path)


def remove_built_images(cache: Path) -> None:
    """Remove what was built, of this and of earlier content; the next fleet builds what it needs again.

    Args:
        cache: Where built images are kept.
    """
    for archive in cache.glob("*.tar"):
        archive.unlink()
    for layout in cache.glob("container-*"):
        remove_tree(layout)


@dataclass(frozen=True)
class HostImages:
    """The images of a fleet's hosts.

    Args:
        host: What a host starts from.
        node: What a host of the local cluster starts from.
    """

    host: HostImage
    node: HostImage

    @classmethod
    def of(cls, folder: Path, cache: Path) -> HostImages:
        """The images that the folder ``images`` of a project describes.

        Args:
            folder: That folder.
            cache: Where built images are kept.
        """
        host = HostImage(source=folder / "host", cache=cache)
        return cls(host=host, node=HostImage(source=folder / "node", cache=cache, base=host))

    def of_host(self, fleet: Fleet, host: FleetHost) -> HostImage:
        """What this host starts from."""
        return self.node if is_node(fleet, host) else self.host

    def needed(self, fleet: Fleet) -> tuple[HostImage, ...]:
        """The images that the fleet takes, each once."""
        return tuple(dict.fromkeys(self.of_host(fleet, host) for host in fleet.hosts))
