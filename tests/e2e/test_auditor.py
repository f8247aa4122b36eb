"""The auditor's role on a real API server: every resource and verb that there is, and what happens who tries."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config
from rendered_cluster import RenderedCluster

from stacks.auditor import AUDITORS_GROUP, AuditorTable
from stacks.tables import read_table

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
BEYOND_VERBS = (
    ("impersonate", "", "users"),
    ("impersonate", "", "groups"),
    ("impersonate", "", "serviceaccounts"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("approve", "certificates.k8s.io", "signers"),
    ("sign", "certificates.k8s.io", "signers"),
)
ABOUT_ONESELF = {
    ("create", "authentication.k8s.io", "selfsubjectreviews"),
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"),
    ("create", "authorization.k8s.io", "selfsubjectrulesreviews"),
}
"""What Kubernetes grants to everybody who has logged in: to ask who one is and what one may."""


def test_an_auditor_may_get_and_list_what_the_table_names_and_nothing_else(rendered: RenderedCluster) -> None:
    table = read_table("auditor", AuditorTable)
    named = {(rule.api_group, resource) for rule in table.rules for resource in rule.resources}
    api = client.AuthorizationV1Api(config.new_client_from_config(str(rendered.plane.kubeconfig)))
    served = list(_served(rendered))
    assert len(served) > 60
    assert any(resource == "pods/exec" for _, resource in served)
    questions = [(verb, *each) for each in served for verb in VERBS]
    allowed = {question for question in (*questions, *BEYOND_VERBS) if _may(api, *question)}
    expected = {(verb, *each) for verb in table.verbs for each in named if each in served}
    assert allowed - expected == ABOUT_ONESELF
    assert expected - allowed == set()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "networkpolicies", "--all-namespaces"], None),
        (["get", "clusterrole", "palisade-auditor", "--output=yaml"], None),
        (["get", "secrets", "--all-namespaces"], 'cannot list resource "secrets"'),
        (["get", "configmaps", "--namespace=kube-system"], 'cannot list resource "configmaps"'),
        (["create", "namespace", "mine"], 'cannot create resource "namespaces"'),
        (["delete", "networkpolicy", "default-deny", "--namespace=palisade-registry"], "cannot delete resource"),
        (["create", "token", "default"], 'cannot create resource "serviceaccounts/token"'),
        (["get", "namespaces", "--as=system:admin"], "cannot impersonate"),
        (["get", "--raw=/metrics"], "cannot get path"),
    ],
)
def test_an_auditor_who_tries_is_answered_or_refused(
    rendered: RenderedCluster, arguments: list[str], said: str | None
) -> None:
    kubeconfig = rendered.plane.kubeconfig_of("an-auditor", groups=(AUDITORS_GROUP,))
    tried: subprocess.CompletedProcess[str] = rendered.run("kubectl", f"--kubeconfig={kubeconfig}", *arguments)
    assert (tried.returncode == 0) is (said is None), tried.stderr
    assert (said or "") in tried.stderr


def _served(rendered: RenderedCluster) -> Iterator[tuple[str, str]]:
    """Group and name of every resource and subresource that the API server knows."""
    groups = rendered.plane.get("/apis")["groups"]
    versions = [
        ("", "/api/v1"),
        *((each["name"], f"/apis/{each['preferredVersion']['groupVersion']}") for each in groups),
    ]
    for group, path in versions:
        for resource in rendered.plane.get(path)["resources"]:
            yield group, resource["name"]


def _may(api: Any, verb: str, group: str, resource: str) -> bool:
    name, _, subresource = resource.partition("/")
    asked = client.V1ResourceAttributes(verb=verb, group=group, resource=name, subresource=subresource or None)
    spec = client.V1SubjectAccessReviewSpec(
        user="an-auditor", groups=[AUDITORS_GROUP, "system:authenticated"], resource_attributes=asked
    )
    answer = api.create_subject_access_review(client.V1SubjectAccessReview(spec=spec))
    return bool(answer.status.allowed)
