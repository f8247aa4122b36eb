"""The auditor: reads how the platform is set up, and nothing that is secret, personal or a way in."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.rbac.v1 import (
    ClusterRole,
    ClusterRoleBinding,
    PolicyRuleArgs,
    RoleRefArgs,
    SubjectArgs,
)

from palisade.validation import Section
from stacks.objects import Component, metadata
from stacks.tables import read_table

AUDITOR = "palisade-auditor"
"""The name of the role, of its binding and of the service account."""
AUDITORS_GROUP = "palisade:auditors"
"""Whom the cluster's own login (OIDC, client certificates) puts into this group is an auditor."""
_RBAC = "rbac.authorization.k8s.io"


class AuditorRule(Section):
    """Some resources that an auditor may read."""

    api_group: str
    resources: tuple[str, ...]
    why: str


class AuditorTable(Section):
    """``stacks/data/auditor.yaml``."""

    verbs: tuple[str, ...]
    rules: tuple[AuditorRule, ...]


@dataclass(frozen=True)
class AuditorArgs:
    """Where the auditor's service account is."""

    namespace: str
    after: Namespace
    """That namespace, which must be there first."""


class Auditor(Component):
    """A read-only role for the whole cluster, for a group of people and for one service account."""

    def __init__(self, name: str, args: AuditorArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        table = read_table("auditor", AuditorTable)
        ClusterRole(
            AUDITOR,
            metadata=metadata(AUDITOR, why="Reads how the cluster is set up; no Secrets, no logs, no way in"),
            rules=[
                PolicyRuleArgs(api_groups=[rule.api_group], resources=list(rule.resources), verbs=list(table.verbs))
                for rule in table.rules
            ],
            opts=self.child(),
        )
        ServiceAccount(
            AUDITOR,
            metadata=metadata(AUDITOR, namespace=args.namespace, why="Who collects evidence without a person"),
            automount_service_account_token=False,
            opts=self.child(args.after),
        )
        ClusterRoleBinding(
            AUDITOR,
            metadata=metadata(AUDITOR, why="Who is an auditor"),
            role_ref=RoleRefArgs(api_group=_RBAC, kind="ClusterRole", name=AUDITOR),
            subjects=[
                SubjectArgs(api_group=_RBAC, kind="Group", name=AUDITORS_GROUP),
                SubjectArgs(kind="ServiceAccount", name=AUDITOR, namespace=args.namespace),
            ],
            opts=self.child(),
        )
        self.register_outputs({"group": AUDITORS_GROUP})
