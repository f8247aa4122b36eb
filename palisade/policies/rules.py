"""The table of the rules, ``policies/rules.yaml``: what is refused, why, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from palisade.controls import REFERENCE_FORMS, Framework
from palisade.errors import ConfigurationError
from palisade.validation import Allowed, Section, validate
from palisade.yaml_file import read_yaml

POLICIES = Path(__file__).resolve().parents[2] / "policies"
RULES_FILE = POLICIES / "rules.yaml"

Sentence = Annotated[str, Allowed("a sentence of at least 12 characters", test=lambda text: len(text) >= 12)]  # noqa: PLR2004
Identifier = Annotated[
    str,
    Allowed(
        "lower-case words joined by -",
        test=lambda text: all(part.isalpha() and part.islower() for part in text.split("-")),
    ),
]


class Rule(Section):
    """One thing that nothing may declare."""

    id: Identifier
    """Names the rule everywhere: in messages, in policies/admission/, in policies/samples/."""
    title: Sentence
    """What holds where the rule is kept."""
    why: Sentence
    """The risk that it takes away, in own words."""
    allowed: Sentence
    """What is accepted; part of every refusal."""
    remedy: Sentence
    """What to do about a refusal; part of every refusal."""
    parameters: Mapping[str, Any] = {}
    """The values that both implementations compare with."""
    references: Mapping[Framework, tuple[str, ...]]
    """Which requirements of which catalogue it serves."""

    @property
    def advice(self) -> str:
        """How every refusal ends."""
        return f"Allowed: {self.allowed}. What to do: {self.remedy}."


class _Table(Section):
    rules: tuple[Rule, ...]


@cache
def load_rules(path: Path = RULES_FILE) -> Mapping[str, Rule]:
    """The rules by their id, in the order of the file.

    Raises:
        ConfigurationError: the file is refused, an id is used twice, or a reference has not the form of its catalogue.
    """
    document = read_yaml(path)
    lines = {("rules", *key): line for key, line in document.lines.items()}
    table = validate(_Table, {"rules": document.value}, file=path.name, at="policies", lines=lines)
    rules: dict[str, Rule] = {}
    for rule in table.rules:
        if rule.id in rules:
            raise ConfigurationError(f"The rule {rule.id} stands twice.", where=str(path), allowed="each id once")
        rules[rule.id] = rule
        _check_references(rule, path)
    return rules


def _check_references(rule: Rule, path: Path) -> None:
    for framework, entries in rule.references.items():
        form, words = REFERENCE_FORMS[framework]
        for entry in entries:
            if not form.fullmatch(entry):
                problem = f"{entry!r} is not a reference to {framework}."
                raise ConfigurationError(problem, where=f"{path}: {rule.id}.references", allowed=words)
