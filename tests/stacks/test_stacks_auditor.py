"""What the auditor's role says; what it means to a real API server: tests/e2e/test_stack_on_empty_cluster.py."""

from __future__ import annotations

from typing import Any

import pytest
from stacks_program import graph_of, of_kind

NEVER = {"secrets", "configmaps", "pods/log", "pods/exec", "pods/attach", "pods/portforward", "nodes/proxy"}


@pytest.fixture(scope="module")
def role() -> Any:
    return of_kind(graph_of("prod"), "ClusterRole")["palisade-auditor"].inputs


def test_an_auditor_gets_and_lists_and_nothing_else(role: Any) -> None:
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}


def test_no_rule_has_a_wildcard_a_subresource_or_a_forbidden_resource(role: Any) -> None:
    resources = [resource for rule in role["rules"] for resource in rule["resources"]]
    assert not NEVER & set(resources)
    assert not any("*" in resource or "/" in resource for resource in resources)
    assert not any("*" in group for rule in role["rules"] for group in rule["apiGroups"])
    assert not any("nonResourceURLs" in rule for rule in role["rules"])
    assert len(resources) == len(set(resources))


def test_it_is_given_to_one_group_and_one_service_account_without_a_token() -> None:
    graph = graph_of("prod")
    binding = of_kind(graph, "ClusterRoleBinding")["palisade-auditor"].inputs
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("Group", "palisade:auditors"),
        ("ServiceAccount", "palisade-auditor"),
    ]
    assert binding["roleRef"]["name"] == "palisade-auditor"
    account = of_kind(graph, "ServiceAccount")["palisade-auditor"].inputs
    assert account["automountServiceAccountToken"] is False
