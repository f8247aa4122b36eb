"""Fetches one file with Maven, from wherever the user's Maven fetches: its settings, mirrors and proxies count.

The project names coordinates and a digest, never a host; what comes is used if it has that digest.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from palisade.console import Step
from palisade.errors import ConfigurationError, MachineError, PalisadeError
from palisade.tools.cache import CacheEntry, fetched_entry
from palisade.tools.catalogue import DEFINITION, Program
from palisade.tools.definition import MavenArtifact

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.7.1"
"""What copies one artifact; the version is pinned, because Maven would take the newest."""
_SHOWN_LINES = 10


def fetched_place(artifact: MavenArtifact) -> CacheEntry:
    """The place in the cache of what :func:`fetch` fetches."""
    (name,) = artifact.programs
    return fetched_entry(name, artifact.version, artifact.sha256)


def find_maven(program: Program) -> Path:
    """The ``mvn`` on PATH.

    Raises:
        MachineError: there is none.
    """
    found = shutil.which("mvn")
    if found is None:
        raise MachineError(
            f"{program.name} is fetched by Maven, and there is no mvn on PATH.",
            where=program.location(DEFINITION),
            remedy="run as root: apt-get update && apt-get install --yes --no-install-recommends maven",
        )
    return Path(found)


def fetch(program: Program, artifact: MavenArtifact, running: Step) -> Path:
    """Fetch the file into the cache; what someone else fetches at the same time is waited for and used.

    Args:
        program: What the file becomes.
        artifact: Which file it is.
        running: Shown what happens.

    Raises:
        MachineError: there is no Maven, or the cache cannot be written.
        PalisadeError: Maven fails. Nothing is left of it but the log.
        ConfigurationError: the file is not the one that ``tool.yaml`` pins.
    """
    maven = find_maven(program)
    entry = fetched_place(artifact)

    def make(_: int) -> None:
        _copy(maven, program, artifact, entry)
        _check_digest(program, artifact, entry)

    fetched = entry.fill(make, on_wait=lambda: running.note(f"{program.name} is being fetched by another palisade"))
    running.outcome = f"{artifact.version}, fetched" + ("" if fetched else " meanwhile")
    return entry.executable


def _copy(maven: Path, program: Program, artifact: MavenArtifact, entry: CacheEntry) -> None:
    command = [
        str(maven),
        "--batch-mode",
        "--no-transfer-progress",
        f"{PLUGIN}:copy",
        f"-Dartifact={artifact.artifact}",
        f"-DoutputDirectory={entry.unfinished}",
    ]
    with entry.log.open("wb") as log:
        # Away from any pom.xml that happens to be in the working directory.
        finished = subprocess.run(
            command, cwd=entry.unfinished, env=os.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    copied = list(entry.unfinished.iterdir())
    if finished.returncode != 0 or len(copied) != 1:
        last = "\n".join(entry.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:])
        raise PalisadeError(
            f"Maven could not fetch {artifact.artifact}.\n{last}",
            where=str(entry.log),
            remedy="check that this machine reaches a Maven repository (settings.xml), then run the same command again",
        )
    copied[0].rename(entry.unfinished / program.name)


def _check_digest(program: Program, artifact: MavenArtifact, entry: CacheEntry) -> None:
    with (entry.unfinished / program.name).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != artifact.sha256:
        raise ConfigurationError(
            f"What Maven fetched as {artifact.artifact} is another file, with the SHA-256 {digest}.",
            where=f"{program.location(DEFINITION)}: tool.maven.sha256",
            allowed=artifact.sha256,
            remedy="ask the publisher which one is right; it was not used",
        )
