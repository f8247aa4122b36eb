"""The rules as the cluster enforces them: ValidatingAdmissionPolicies made of the data in ``policies/admission``.

Every expression there is a list of what breaks the rule, written in CEL (the Common Expression Language of the API
server); an object is refused unless the list is empty. Subjects say which kinds are asked, and name their parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from palisade.errors import ConfigurationError
from palisade.policies.rules import POLICIES, Rule
from palisade.policies.settings import AGENTS_NAMESPACE, ENFORCED_LABEL, NAMESPACES, PolicySettings
from palisade.validation import Section, validate
from palisade.yaml_file import read_yaml

ADMISSION = POLICIES / "admission"

_JUDGED = (".?spec", ".?data", ".?template", ".metadata.?labels")
"""The parts of objects that rules look at."""
_UNCHANGED = [f"object{part} == oldObject{part}" for part in _JUDGED]
_ONLY_FINALIZERS = " && ".join(["has(object.metadata.deletionTimestamp)", *_UNCHANGED])
"""What is being deleted has to lose its finalizers, whatever it looks like; until then it acts, so nothing else of it
goes unjudged. A new object is never being deleted: the API server sees to that before it asks."""


class Subject(Section):
    """Which objects a policy is asked about."""

    resource_rules: tuple[Mapping[str, Any], ...]
    """The API groups and resources, as ``matchConstraints`` takes them."""
    variables: Mapping[str, str] = {}
    """CEL expressions for the parts of such objects."""


class Validation(Section):
    """One way to break a rule."""

    problem: str
    """What is said behind the offenders."""
    offenders: str
    """A CEL expression: the list of what breaks the rule, in words."""


class Part(Section):
    """What one rule means for one subject: one ValidatingAdmissionPolicy."""

    subject: str
    """The name of a file in ``policies/admission/subjects``."""
    variables: Mapping[str, str] = {}
    """CEL expressions that the validations share."""
    validations: tuple[Validation, ...]
    """All of them have to find nothing."""


class _Parts(Section):
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class AdmissionPolicy:
    """One ValidatingAdmissionPolicy and what binds it to namespaces."""

    name: str
    rule: str
    """The id of the rule."""
    spec: Mapping[str, Any]

    def binding_specs(self) -> Mapping[str, Mapping[str, Any]]:
        """The specification of each binding by its name: Palisade's namespaces by name, others by their label."""
        by_name = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(NAMESPACES)}
        others = [
            {"key": ENFORCED_LABEL, "operator": "In", "values": ["enforced"]},
            {**by_name, "operator": "NotIn"},
        ]
        return {self.name: self._binding([by_name]), f"{self.name}-labelled": self._binding(others)}

    def _binding(self, expressions: list[dict[str, Any]]) -> Mapping[str, Any]:
        return {
            "policyName": self.name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchExpressions": expressions}},
        }


def admission_policies(rules: Mapping[str, Rule], settings: PolicySettings) -> tuple[AdmissionPolicy, ...]:
    """All policies of an environment, in the order of the rules.

    Raises:
        ConfigurationError: a rule has no file in ``policies/admission``, or a file is refused.
    """
    return tuple(policy for rule in rules.values() for policy in _policies(rule, settings))


def load_parts(rule_id: str) -> tuple[Part, ...]:
    """What a rule means for each of its subjects.

    Raises:
        ConfigurationError: the file is not there or refused.
    """
    path = ADMISSION / f"{rule_id}.yaml"
    document = read_yaml(path)
    lines = {("parts", *key): line for key, line in document.lines.items()}
    return validate(_Parts, {"parts": document.value}, file=path.name, at="admission", lines=lines).parts


def _policies(rule: Rule, settings: PolicySettings) -> list[AdmissionPolicy]:
    parts = load_parts(rule.id)
    policies = []
    for part in parts:
        suffix = f"-{part.subject.replace('_', '-')}" if len(parts) > 1 else ""
        policies.append(AdmissionPolicy(f"palisade-{rule.id}{suffix}", rule.id, _spec(rule, part, settings)))
    return policies


def _spec(rule: Rule, part: Part, settings: PolicySettings) -> Mapping[str, Any]:
    subject = _subject(part.subject)
    known = {
        "local": settings.local,
        "regions": {name: list(regions) for name, regions in settings.regions.items()},
        "agents_namespace": AGENTS_NAMESPACE,
        **rule.parameters,
    }
    variables = {name: json.dumps(value, ensure_ascii=False) for name, value in known.items()}
    variables |= {**subject.variables, **part.variables}
    validations = []
    for number, validation in enumerate(part.validations, start=1):
        variables[f"offenders_{number}"] = validation.offenders
        validations.append(_validation(f"variables.offenders_{number}", validation.problem, rule))
    asked = {"apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "scope": "Namespaced"}
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{**dict(entry), **asked} for entry in subject.resource_rules]},
        "matchConditions": [{"name": "not-only-finalizers", "expression": f"!({_ONLY_FINALIZERS})"}],
        "variables": [{"name": name, "expression": text} for name, text in _used(variables).items()],
        "validations": validations,
    }


def _validation(offenders: str, problem: str, rule: Rule) -> Mapping[str, str]:
    ending = json.dumps(f" {problem}. {rule.advice}", ensure_ascii=False)
    return {
        "expression": f"size({offenders}) == 0",
        "messageExpression": f'{offenders}.join(", ") + {ending}',
        "message": f"Something {problem}. {rule.advice}",
        "reason": "Invalid",
    }


def _used(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that the validations come to use; each of them may use those in front of it."""
    used: dict[str, str] = {}
    for name, expression in reversed(list(variables.items())):
        if name.startswith("offenders_") or any(re.search(rf"\bvariables\.{name}\b", text) for text in used.values()):
            used[name] = expression
    return dict(reversed(used.items()))


def _subject(name: str) -> Subject:
    path = ADMISSION / "subjects" / f"{name}.yaml"
    if not path.is_file():
        raise ConfigurationError(
            f"There is no subject {name}.",
            where=str(path),
            allowed=", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))),
        )
    document = read_yaml(path)
    return validate(Subject, document.value, file=path.name, at="subject", lines=document.lines)
