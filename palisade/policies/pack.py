"""The rules as the policy pack runs them: one function for each, and the words of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from palisade.policies import declaration_checks, network_checks, workload_checks
from palisade.policies.manifests import Manifest, manifests_of, name, namespace
from palisade.policies.rules import Rule
from palisade.policies.settings import PolicySettings

Check = Callable[[Manifest, Rule, PolicySettings], Iterator[str]]

CHECKS: Mapping[str, Check] = {
    "image-digest": workload_checks.image_digest,
    "unprivileged": workload_checks.unprivileged,
    "capabilities": workload_checks.capabilities,
    "host-namespaces": workload_checks.host_namespaces,
    "host-paths": workload_checks.host_paths,
    "non-root": workload_checks.non_root,
    "resources": workload_checks.resources,
    "database-sources": network_checks.database_sources,
    "audit-retention": declaration_checks.audit_retention,
    "published-ports": network_checks.published_ports,
    "data-regions": declaration_checks.data_regions,
}
"""Each rule's check, by the id of the rule."""


def refusals(rule: Rule, resource_type: str, properties: Manifest, settings: PolicySettings) -> Iterator[str]:
    """Why a resource breaks a rule: what, where, what is allowed, what to do; nothing if it does not.

    Args:
        rule: The rule.
        resource_type: Pulumi's type, such as ``kubernetes:apps/v1:Deployment``.
        properties: The inputs of the resource.
        settings: Those of the environment.
    """
    check = CHECKS[rule.id]
    for manifest in manifests_of(resource_type, properties):
        where = "/".join(part for part in (namespace(manifest), name(manifest)) if part)
        for offence in check(manifest, rule, settings):
            yield f"{manifest['kind']} {where}: {offence}. {rule.advice}"
