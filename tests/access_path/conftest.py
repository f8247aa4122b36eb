"""One access path that most tests of this folder share; those that break it put it together again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.access_path.edge import Edge
from tests.access_path.edge import edge as running_edge


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with running_edge(tmp_path_factory.mktemp("edge")) as started:
        yield started
