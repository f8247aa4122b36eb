"""The workshop of the tools' tests, and the real Go that it builds with."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tools_workshop import GO_MOD, MAIN, TOOL, Workshop


@pytest.fixture(scope="session")
def go_directory() -> Path:
    """Where ``go`` is; these tests need it as the product does."""
    found = shutil.which("go")
    assert found is not None, "the tests of palisade tools build real Go programs: put go on PATH"
    return Path(found).parent


@pytest.fixture(scope="session")
def go_cache(go_directory: Path) -> str:
    """The user's own build cache: the tests move XDG_CACHE_HOME, and Go's standard library is compiled only once."""
    return subprocess.check_output([str(go_directory / "go"), "env", "GOCACHE"], text=True).strip()


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, go_directory: Path, go_cache: str) -> Workshop:
    made = Workshop(root=tmp_path / "project", bin=tmp_path / "bin", cache=tmp_path / "cache")
    made.folder.mkdir(parents=True)
    made.bin.mkdir()
    (made.root / "Pulumi.yaml").write_text("name: demo\nruntime: python\n", encoding="utf-8")
    (made.folder / "tool.yaml").write_text(TOOL, encoding="utf-8")
    (made.folder / "go.mod").write_text(GO_MOD, encoding="utf-8")
    (made.folder / "main.go").write_text(MAIN, encoding="utf-8")
    monkeypatch.setenv("PATH", os.pathsep.join([str(made.bin), str(go_directory), "/usr/bin", "/bin"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(made.cache))
    monkeypatch.setenv("GOCACHE", go_cache)
    monkeypatch.delenv("GOFLAGS", raising=False)
    return made
