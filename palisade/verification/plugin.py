"""The pytest plugin of ``tests/verify``: lets a bare pytest run what ``palisade verify`` runs, without the evidence.

``pytest tests/verify --palisade-environment local --palisade-control net-syn-cookies``
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.verification.prepare import prepared_suite
from palisade.verification.session import VerificationPlugin
from palisade.verification.suite import assignments


def pytest_addoption(parser: pytest.Parser) -> None:
    """The environment, and which controls and hosts."""
    group = parser.getgroup("palisade")
    group.addoption("--palisade-environment", help="The environment whose hosts are verified.")
    group.addoption("--palisade-control", action="append", default=[], help="Only this control (repeatable).")
    group.addoption("--palisade-host", action="append", default=[], help="Only this host, or cluster (repeatable).")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the session, unless ``palisade verify`` has already given one.

    Raises:
        pytest.UsageError: no environment is named, or it cannot be verified.
    """
    manager = config.pluginmanager
    if any(isinstance(plugin, VerificationPlugin) for plugin in manager.get_plugins()):
        return
    environment = config.getoption("--palisade-environment")
    if not environment:
        raise pytest.UsageError("name the environment: --palisade-environment local")
    stack = ExitStack()
    config.add_cleanup(stack.close)
    try:
        suite = stack.enter_context(prepared_suite(Project.find(), environment))
        chosen = assignments(
            suite.registry,
            suite.connections.fleet,
            cluster=suite.cluster is not None,
            controls=config.getoption("--palisade-control"),
            targets=config.getoption("--palisade-host"),
        )
        suite.require_reachable(chosen)
    except PalisadeError as error:
        raise pytest.UsageError(str(error)) from error
    manager.register(suite.session(chosen, listener=lambda _: None))
