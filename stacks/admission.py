"""What the cluster refuses, whoever asks: the rules of ``policies/`` as ValidatingAdmissionPolicies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from pulumi_kubernetes.core.v1 import ConfigMap

from palisade.policies.admission import AdmissionPolicy, admission_policies
from palisade.policies.rules import load_rules
from palisade.policies.settings import SETTINGS_NAMESPACE, SETTINGS_OBJECT, PolicySettings
from stacks.objects import Component, metadata


@dataclass(frozen=True)
class AdmissionArgs:
    """By what the rules judge in this environment."""

    settings: PolicySettings


class Admission(Component):
    """One policy for each rule and kind of object, bound to Palisade's namespaces; needs none of them to be there."""

    bindings: tuple[pulumi.Resource, ...]
    """From when on the cluster refuses; what is declared after them has been judged."""

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        rules = load_rules()
        bindings: list[pulumi.Resource] = []
        for policy in admission_policies(rules, args.settings):
            why = rules[policy.rule].title
            spec: Any = policy.spec  # as the API takes it, which is not how Pulumi's types spell it
            declared = ValidatingAdmissionPolicy(
                policy.name, metadata=metadata(policy.name, why=why), spec=spec, opts=self.child()
            )
            bindings += [
                ValidatingAdmissionPolicyBinding(
                    binding, metadata=metadata(binding, why=why), spec=bound, opts=self.child(declared)
                )
                for binding, bound in _binding_specs(policy)
            ]
        self.bindings = tuple(bindings)
        self.register_outputs({"rules": list(rules)})


def _binding_specs(policy: AdmissionPolicy) -> Iterable[tuple[str, Any]]:
    return policy.binding_specs().items()


@dataclass(frozen=True)
class SettingsArgs:
    """What the stack declares about the fleet, and what must be there first."""

    data: Mapping[str, str]
    """Retention, regions, sources of the database (:func:`palisade.policies.settings.declared_settings`)."""
    after: tuple[pulumi.Resource, ...]
    """The namespace, and the bindings of the admission, so that the cluster judges what is declared here."""


class Settings(Component):
    """What no object of the cluster would show otherwise, so that the cluster can refuse it."""

    def __init__(self, name: str, args: SettingsArgs, opts: pulumi.ResourceOptions) -> None:
        super().__init__(name, opts)
        ConfigMap(
            SETTINGS_OBJECT,
            metadata=metadata(
                SETTINGS_OBJECT,
                namespace=SETTINGS_NAMESPACE,
                why="What the fleet promises: retention, regions, sources",
            ),
            data=dict(args.data),
            opts=self.child(*args.after),
        )
        self.register_outputs({})
