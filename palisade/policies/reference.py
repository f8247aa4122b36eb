"""The page of the rules, made from their table: ``python -m palisade.policies.reference``."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from palisade.policies.admission import load_parts
from palisade.policies.rules import Rule, load_rules
from palisade.verification.reference import FRAMEWORK_LABELS

_HEADING = """\
# The rules that nothing may break

Generated from `policies/rules.yaml` by `python -m palisade.policies.reference > docs/reference/policies.md`; a test
fails when this page is stale. How they work: [policies](../policies.md).

| rule | what holds, and why | allowed | asked of | frameworks |
|---|---|---|---|---|"""


def reference(rules: Mapping[str, Rule]) -> str:
    """The whole page as Markdown; the same rules give the same bytes."""
    return "\n".join([_HEADING, *map(_row, rules.values()), ""])


def _row(rule: Rule) -> str:
    subjects = ", ".join(part.subject.replace("_", " ") for part in load_parts(rule.id))
    references = (
        f"{label} {', '.join(rule.references[framework])}"
        for framework, label in FRAMEWORK_LABELS.items()
        if framework in rule.references
    )
    cells = (f"`{rule.id}`", f"**{rule.title}.** {rule.why}", rule.allowed, subjects, "; ".join(references))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in cells)} |"


if __name__ == "__main__":
    sys.stdout.write(reference(load_rules()))
