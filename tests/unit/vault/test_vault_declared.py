"""What is declared to be inside Vault, in a local fleet and elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from palisade.config import load_configuration
from palisade.project import Project
from palisade.vault.resources import Declared, load_declared
from palisade.vault.values import values_of

PROJECT_ROOT = Path(__file__).resolve().parents[3]
OF_PEOPLE = ("identity/entity", "identity/group", "auth/people", "sys/auth/people")


def declared(environment: str) -> Declared:
    return load_declared(PROJECT_ROOT, values_of(load_configuration(Project(PROJECT_ROOT), environment)))


@pytest.mark.parametrize(("environment", "expected"), [("local", set(OF_PEOPLE)), ("prod", set())])
def test_an_operator_writes_people_and_groups_in_a_local_fleet_only(environment: str, expected: set[str]) -> None:
    paths = {one.path: one for one in declared(environment).resources}
    policy = paths["sys/policies/acl/palisade-operator"].fields["policy"]
    assert {path for path in OF_PEOPLE if f'path "{path}' in policy} == expected


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("cluster", [True, False])
def test_lists_of_logins_that_are_not_declared_are_somebody_elses(*, local: bool, cluster: bool) -> None:
    values = values_of(load_configuration(Project(PROJECT_ROOT), "local"))
    lists = {owned.path for owned in load_declared(PROJECT_ROOT, {**values, "local": local, "cluster": cluster}).owned}
    assert ("auth/people/users" in lists) is local
    assert ("auth/kubernetes/role" in lists) is cluster
    assert "auth/approle/role" in lists
