"""Environments as they are shipped, on a real and empty API server: preview, up, and nothing left to do.

Without the registry, which needs nodes that pull its images; ``tests/stacks`` has the whole graph of each.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from shipped_environment import ShippedEnvironment, shipped_environment

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=["dev", "staging", "prod"])
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ShippedEnvironment]:
    with shipped_environment(request.param, tmp_path_factory.mktemp(request.param)) as made:
        yield made


def test_it_is_previewed_and_built(environment: ShippedEnvironment) -> None:
    environment.answer("palisade", "stack", "init", environment.name)
    environment.answer("palisade", "stack", "up", environment.name, "--yes")  # previews first, when nothing is there


def test_then_there_is_nothing_to_change(environment: ShippedEnvironment) -> None:
    environment.answer("palisade", "stack", "preview", environment.name, "--expect-no-changes")


def test_the_cluster_has_exactly_what_is_rendered(environment: ShippedEnvironment) -> None:
    rendered = environment.answer("palisade", "render", environment.name)
    manager = f"--field-manager=pulumi-palisade-{environment.name}"
    command = ["kubectl", "diff", "--server-side", manager, "--filename=-"]
    compared = environment.run(*command, standard_input=rendered)
    assert (compared.returncode, compared.stdout) == (0, ""), compared.stdout[-3000:] + compared.stderr[-3000:]
    assert len(list(yaml.safe_load_all(rendered))) > 50
