"""Brings together what a verification needs: the fleet, the control registry, the waivers, the connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from palisade.controls import load_controls
from palisade.fleet_source import find_fleet
from palisade.project import Project
from palisade.verification.connections import Connections
from palisade.verification.run import Suite, commit_of
from palisade.verification.suite import suite_root
from palisade.verification.waivers import load_waivers


@contextmanager
def prepared_suite(project: Project, environment: str) -> Iterator[Suite]:
    """The suite for an environment; its connections are closed at the end.

    Args:
        project: Whose configuration, waivers and fleet count.
        environment: The name of the environment.

    Raises:
        PalisadeError: there is no fleet, or a control or waiver file is refused.
    """
    fleet = find_fleet(project, environment)
    root = suite_root(project)
    registry = load_controls(root)
    waivers = load_waivers(project.root, registry, fleet)
    with Connections(fleet) as connections:
        yield Suite(root=root, registry=registry, connections=connections, waivers=waivers, commit=commit_of(root))
