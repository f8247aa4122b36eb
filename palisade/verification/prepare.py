"""Brings together what a verification needs: the fleet, its controls and waivers, the connections, the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from palisade.controls import load_controls
from palisade.fleet_source import find_fleet
from palisade.project import Project
from palisade.verification.cluster_access import find_cluster
from palisade.verification.connections import Connections
from palisade.verification.declared import declared_objects
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
        PalisadeError: there is no fleet, a control or waiver file is refused, or the kubeconfig is missing.
    """
    fleet = find_fleet(project, environment)
    root = suite_root(project)
    registry = load_controls(root)
    access = find_cluster(project, fleet)
    waivers = load_waivers(project.root, registry, fleet, cluster=access is not None)
    with ExitStack() as stack:
        connections = stack.enter_context(Connections(fleet))
        cluster, vault = None, None
        if access is not None:
            # The client of Kubernetes takes a second to load: only who has a cluster waits for it.
            from palisade.verification.cluster import Cluster  # noqa: PLC0415
            from palisade.verification.people import People  # noqa: PLC0415
            from palisade.verification.vault_inside import VaultInside  # noqa: PLC0415

            people = People(project, environment).token if access.is_local else None
            declared = partial(declared_objects, project, environment)
            cluster = stack.enter_context(Cluster(access, declared, person=people))
            vault = VaultInside(project, environment)
        yield Suite(
            root=root,
            registry=registry,
            connections=connections,
            waivers=waivers,
            commit=commit_of(root),
            cluster=cluster,
            vault=vault,
        )
