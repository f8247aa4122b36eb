"""The policy pack: every rule of ``policies/rules.yaml``, mandatory; it only wires.

Used by ``pulumi preview --policy-pack policies/pulumi`` and ``pulumi up --policy-pack policies/pulumi``.
"""

from __future__ import annotations

from functools import cache

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from palisade.config import parse_configuration
from palisade.policies.pack import refusals
from palisade.policies.rules import Rule, load_rules
from palisade.policies.settings import PolicySettings, policy_settings


@cache
def settings_of_stack() -> PolicySettings:
    """The settings of the stack that is judged; the strictest for a program that is not Palisade's.

    Raises:
        ConfigurationError: the configuration is refused.
    """
    fleet = pulumi.Config("palisade").get_object("fleet")
    if fleet is None:
        return PolicySettings()
    stack = pulumi.get_stack()
    return policy_settings(parse_configuration(fleet, environment=stack, file=f"configuration of stack {stack}"))


def policy_of(rule: Rule) -> ResourceValidationPolicy:
    """The rule as Pulumi asks it, for each resource before it is created or changed."""

    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        for refusal in refusals(rule, args.resource_type, args.props, settings_of_stack()):
            report_violation(refusal, None)

    return ResourceValidationPolicy(rule.id, f"{rule.title}. {rule.why}", validate, EnforcementLevel.MANDATORY)


PolicyPack("palisade", [policy_of(rule) for rule in load_rules().values()])
