"""The real OPA and its linter, keys, and a bundle server that stands where Envoy's is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from policy_parts import Beside, BundleServer, apis, bundle, new_key

from palisade.access_path.opa import PROGRAM
from palisade.bundle.signing import KeyFileSigner
from palisade.console import Steps
from palisade.project import Project
from palisade.tools.obtain import ensure, step_titles

PROJECT = Project(Path(__file__).parents[2])


@pytest.fixture(scope="session")
def programs() -> dict[str, Path]:
    """OPA and its linter by name; built where they are missing."""
    names = [PROGRAM, "regal"]
    return ensure(PROJECT, names, Steps(step_titles(PROJECT, names)))


@pytest.fixture(scope="session")
def opa(programs: dict[str, Path]) -> Path:
    return programs[PROGRAM]


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("key") / "signing.pem")


@pytest.fixture(scope="session")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("key") / "other.pem")


@pytest.fixture
def server() -> Iterator[BundleServer]:
    with BundleServer() as running:
        yield running


@pytest.fixture
def beside(tmp_path: Path, opa: Path, key: Path, server: BundleServer) -> Iterator[Beside]:
    """OPA as it runs beside Envoy, of this test alone; not started yet."""
    with Beside(tmp_path, opa, key, server) as ready:
        yield ready


@pytest.fixture(scope="module")
def deciding(tmp_path_factory: pytest.TempPathFactory, opa: Path, key: Path) -> Iterator[Beside]:
    """OPA with a bundle, of a whole module: a test that gives it another one puts that back which was there."""
    with BundleServer() as server, Beside(tmp_path_factory.mktemp("opa"), opa, key, server) as ready:
        server.content = bundle(apis()).archive(KeyFileSigner(key))
        ready.start_with_bundle()
        yield ready
