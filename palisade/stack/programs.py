"""The programs that pulumi needs, in one directory, as an official installation of Pulumi has them."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from palisade.console import Steps
from palisade.local.linked import link_or_copy
from palisade.project import Project
from palisade.tools import ensure, step_titles
from palisade.tools.cache import cache_root
from palisade.tools.catalogue import load_catalogue
from palisade.tools.obtain import State, survey
from palisade.tools.toolchain import find_go

PULUMI = "pulumi"
LANGUAGE_HOST = "pulumi-language-python"
PROVIDER = "pulumi-resource-kubernetes"
"""Pulumi's plugin for Kubernetes, and the one of this project that stands in for it where it cannot be downloaded."""


def program_directories(project: Project) -> tuple[Path, ...]:
    """What has to come first on PATH so that pulumi finds its programs; what is missing is built, with progress.

    The Python environment is the one that this process runs in: its packages are what the program imports.

    Raises:
        MachineError: a program cannot be built here.
        PalisadeError: a build fails.
    """
    directories = [Path(sys.executable).parent, _pulumi_directory(project)]
    own_provider = project.root / "tools" / PROVIDER
    if (own_provider / PROVIDER).is_file() and not _official_provider_is_installed():
        directories.append(own_provider)
    return tuple(directories)


def _pulumi_directory(project: Project) -> Path:
    names = (PULUMI, LANGUAGE_HOST)
    catalogue = load_catalogue(project)
    findings = survey(catalogue, catalogue.select(names), find_go())
    ready = [finding.path for finding in findings if finding.path is not None]
    if len(ready) < len(names):
        ready = list(ensure(project, names, Steps(step_titles(project, names))).values())
    on_path = {finding.state for finding in findings} == {State.ON_PATH}
    return ready[0].parent if on_path else _together(ready)


def _together(programs: Iterable[Path]) -> Path:
    """One directory with these programs and the scripts beside them, named after where they come from.

    Pulumi warns in every run about a language host that does not lie beside it.
    """
    places = sorted({program.parent for program in programs})
    digest = hashlib.sha256("\n".join(map(str, places)).encode()).hexdigest()[:16]
    directory = cache_root() / f"{PULUMI}-{digest}"
    for file in (file for place in places for file in place.iterdir()):
        link_or_copy(file, directory / file.name)
    return directory


def _official_provider_is_installed() -> bool:
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    return any((home / "plugins").glob(f"{PROVIDER.removeprefix('pulumi-')}-v*/{PROVIDER}"))
