"""One server for all tests of this folder, with everything declared in it; tests that break it take their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from vault_place import ENVIRONMENT, Place, server

from palisade.vault.planning import apply
from palisade.vault.session import Session, vault_session


@contextmanager
def session_in(place: Place) -> Iterator[Session]:
    """A session as the command line opens it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.variables.items():
            patch.setenv(name, value)
        with vault_session(place.project, ENVIRONMENT) as session:
            yield session


def make(directory: Path) -> Iterator[Place]:
    """A place with an empty server."""
    (directory / "bao").mkdir()
    with server(directory / "bao") as running:
        place = Place(directory, running)
        place.write()
        yield place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Applied once."""
    for made in make(tmp_path_factory.mktemp("vault")):
        with session_in(made) as session:
            apply(session.context, session.declared, lock=session.lock)
            session.write_root_certificate()
        yield made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Place]:
    """With an empty server of its own."""
    yield from make(tmp_path)
