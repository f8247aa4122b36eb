"""No rule without samples, no sample without a rule, no implementation without a rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy_samples import SAMPLES, SETTINGS, load_samples

from palisade.config_values import RetentionDays
from palisade.policies.admission import ADMISSION, admission_policies
from palisade.policies.reference import reference
from palisade.policies.rules import load_rules

RULES = load_rules()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
def test_a_rule_has_several_samples_of_both_kinds(rule: str, *, is_allowed: bool) -> None:
    titles = [sample.title for sample in load_samples() if (sample.rule, sample.is_allowed) == (rule, is_allowed)]
    assert len(titles) >= 3
    assert len(set(titles)) == len(titles)


def test_a_sample_names_a_rule_and_an_environment() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == set(RULES)
    assert {path.name for path in SAMPLES.glob("*/*")} == {"allowed.yaml", "refused.yaml"}
    assert {sample.environment for sample in load_samples()} <= set(SETTINGS)


def test_a_file_of_the_admission_names_a_rule() -> None:
    assert {path.stem for path in ADMISSION.glob("*.yaml")} == set(RULES)


def test_every_subject_is_used() -> None:
    used = " ".join(path.read_text(encoding="utf-8") for path in ADMISSION.glob("*.yaml"))
    assert [
        path.stem for path in (ADMISSION / "subjects").glob("*.yaml") if f"subject: {path.stem}\n" not in used
    ] == []


def test_the_text_of_a_rule_names_its_parameters() -> None:
    for rule in RULES.values():
        for value in rule.parameters.values():
            for part in value if isinstance(value, list) else [value]:
                assert str(part) in rule.allowed, rule.id


def test_the_configuration_refuses_the_same_retention() -> None:
    """The rule guards objects, the configuration its own file: one figure."""
    (allowed,) = RetentionDays.__metadata__  # type: ignore[attr-defined]
    minimum = RULES["audit-retention"].parameters["minimum_days"]
    assert (allowed.test(minimum), allowed.test(minimum - 1)) == (True, False)


def test_the_same_settings_give_the_same_policies() -> None:
    first, second = (admission_policies(RULES, SETTINGS["prod"]) for _ in range(2))
    assert [policy.spec for policy in first] == [policy.spec for policy in second]


def test_the_samples_can_be_applied_by_hand() -> None:
    for path in Path(SAMPLES).glob("*/*.yaml"):
        assert "\n---\n" in path.read_text(encoding="utf-8"), path


def test_the_page_of_the_rules_is_up_to_date() -> None:
    command = "python -m palisade.policies.reference > docs/reference/policies.md"
    assert (SAMPLES.parents[1] / "docs/reference/policies.md").read_text(encoding="utf-8") == reference(RULES), command
