"""One control plane with simulated machines, and one environment, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.control_plane import ControlPlane, control_plane
from tests.provisioning.environment import ProvisionedEnvironment, make_environment
from tests.provisioning.kubectl import Kubectl
from tests.provisioning.machines import Machines, simulated_machines


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    with control_plane(controllers=True) as started:
        yield started


@pytest.fixture(scope="session")
def machines(plane: ControlPlane) -> Iterator[Machines]:
    with simulated_machines(plane) as running:
        yield running


@pytest.fixture(scope="session")
def kubectl(machines: Machines) -> Kubectl:
    return machines.kubectl


@pytest.fixture(scope="session")
def environment(
    plane: ControlPlane,
    kubectl: Kubectl,  # noqa: ARG001 - Karpenter's definitions have to be there
    tmp_path_factory: pytest.TempPathFactory,
) -> ProvisionedEnvironment:
    return make_environment(plane, tmp_path_factory.mktemp("project"))
