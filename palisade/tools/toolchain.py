"""The Go toolchain of this machine: whether it is there, new enough, and how it is called."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from palisade.errors import MachineError
from palisade.tools.catalogue import Program

USUAL_PLACE = "/usr/local/go/bin"
"""Where Go's own instructions put it; sudo takes it from PATH."""
_GO_DIRECTIVE = re.compile(r"^go (\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)\s*$", flags=re.MULTILINE)
_GO_VERSION = re.compile(r"\bgo(\d+(?:\.\d+)*(?:(?:rc|beta)\d+)?)")


@dataclass(frozen=True)
class Go:
    """The ``go`` command on PATH."""

    executable: Path
    version: str
    """As it tells it: ``go1.26.8``, or ``devel go1.27-...`` for an unreleased one."""
    system: str
    architecture: str

    @property
    def release(self) -> Version:
        """The version as a number that can be compared."""
        match = _GO_VERSION.search(self.version)
        return Version(match.group(1)) if match else Version("0")

    def environment(self) -> Mapping[str, str]:
        """The user's environment (GOPROXY, GOFLAGS, GOPRIVATE ... count) with what makes builds alike and local."""
        return os.environ | {
            "CGO_ENABLED": "0",
            "GOARCH": self.architecture,
            "GOOS": self.system,
            # No toolchain is downloaded behind the user's back, and no go.work above the checkout changes the pins.
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }


def find_go() -> Go | None:
    """The Go toolchain on PATH or in its usual place; None if there is none.

    Raises:
        MachineError: there is a ``go``, and it does not work.
    """
    executable = shutil.which("go") or shutil.which("go", path=USUAL_PLACE)
    if executable is None:
        return None
    finished = subprocess.run(
        [executable, "env", "-json", "GOVERSION", "GOHOSTOS", "GOHOSTARCH"],
        env=os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    try:
        answer = json.loads(finished.stdout)
        return Go(Path(executable).absolute(), answer["GOVERSION"], answer["GOHOSTOS"], answer["GOHOSTARCH"])
    except (json.JSONDecodeError, KeyError) as error:
        said = finished.stderr.strip() or finished.stdout.strip() or f"exit code {finished.returncode}"
        raise MachineError(
            f"The Go toolchain does not work: {said}",
            where=executable,
            remedy="repair it until `go env` answers, or remove it from PATH",
        ) from error


def needed_go(program: Program) -> Version:
    """The oldest Go that builds this program, from its ``go.mod``."""
    match = _GO_DIRECTIVE.search((program.folder / "go.mod").read_text(encoding="utf-8"))
    return Version(match.group(1)) if match else Version("0")


def check_go(go: Go | None, program: Program) -> Go:
    """The toolchain, if it can build this program.

    Raises:
        MachineError: Go is missing or older than ``go.mod`` requires.
    """
    needed = needed_go(program)
    remedy = (
        f"install Go {needed} or newer (https://go.dev/dl) and put its bin directory on PATH, "
        f"or put {program.wanted_on_path} on PATH; then run the same command again"
    )
    if go is None:
        raise MachineError(
            f"{program.name} is not on PATH at an accepted version, and there is no Go on PATH to build it.",
            where=program.location("go.mod"),
            allowed=f"Go {needed} or newer",
            remedy=remedy,
        )
    if go.release < needed:
        raise MachineError(
            f"Go {go.release} is too old to build {program.name}.",
            where=str(go.executable),
            allowed=f"Go {needed} or newer",
            remedy=remedy,
        )
    return go


def module_directory(program: Program) -> Path:
    """Where the sources of a program's module are: fetched if they are not there, and nothing is compiled.

    Raises:
        MachineError: there is no Go toolchain that builds this program.
        CalledProcessError: the module cannot be fetched, or is not what ``go.sum`` says.
    """
    go = check_go(find_go(), program)
    answer = subprocess.run(
        [str(go.executable), "mod", "download", "-json", program.module.module],
        cwd=program.folder,
        env=go.environment(),
        stdout=subprocess.PIPE,
        check=True,
    )
    return Path(json.loads(answer.stdout)["Dir"])
