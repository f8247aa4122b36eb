"""A project with one small real tool: a Go module without dependencies, so that nothing is fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from palisade.console import Steps
from palisade.project import Project
from palisade.tools import ensure, step_titles
from palisade.tools.catalogue import Catalogue, Program, load_catalogue

TOOL = """\
purpose: Shows that the mechanism works.
needed_by: [the tests]
version_question:
  arguments: [version]
  pattern: 'demo (\\S+)'
  accepted: ">=1.2,<2"
go:
  module: example.org/demo
  version: v1.2.3
  programs: {demo: .}
  linker_variables: {main.version: "{version}"}
  usual_build_seconds: 2
"""
GO_MOD = "module palisade.example/tools/demo\n\ngo 1.20\n"
MAIN = 'package main\n\nvar version = "unset"\n\nfunc main() { println("demo", version) }\n'


@dataclass
class Workshop:
    """A temporary project, a directory on PATH, and a cache of its own."""

    root: Path
    bin: Path
    cache: Path

    @property
    def project(self) -> Project:
        return Project(self.root)

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.project)

    @property
    def demo(self) -> Program:
        return self.catalogue.programs["demo"]

    @property
    def folder(self) -> Path:
        return self.root / "tools" / "demo"

    def built(self) -> list[Path]:
        """The finished cache entries."""
        return sorted(self.cache.glob("palisade/tools/demo-*"))

    def unfinished(self) -> list[Path]:
        """What builds have left behind."""
        return list((self.cache / "palisade" / "tools" / "unfinished").iterdir())

    def put_on_path(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def ensure(self, *names: str) -> dict[str, Path]:
        return ensure(self.project, names, Steps(step_titles(self.project, names)))

    def command(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """``palisade tools ...`` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "palisade", "tools", *arguments],
            env=os.environ | {"PALISADE_PROJECT": str(self.root)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
