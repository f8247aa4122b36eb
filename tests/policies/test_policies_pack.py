"""The policy pack's half of the rules, on every sample, as Pulumi's engine hands properties to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from policy_samples import SETTINGS, Sample, load_samples
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from palisade.policies.manifests import manifests_of
from palisade.policies.pack import CHECKS, refusals
from palisade.policies.rules import load_rules

SAMPLES = load_samples()
RULES = load_rules()
REFUSED = [sample for sample in SAMPLES if not sample.is_allowed]


def as_the_engine_sends_it(value: Any) -> Any:
    """Through a protobuf Struct every number becomes a float, and unknown values are guarded."""
    return unknown_checking_proxy(json.loads(json.dumps(value), parse_int=float))


def refusals_of(sample: Sample, *rules: str) -> dict[str, list[str]]:
    """What each of these rules says, for those that refuse it."""
    properties = as_the_engine_sends_it(sample.manifest)
    settings = SETTINGS[sample.environment]
    said = {rule: list(refusals(RULES[rule], sample.pulumi_type, properties, settings)) for rule in rules}
    return {rule: found for rule, found in said.items() if found}


@pytest.mark.parametrize("sample", SAMPLES, ids=repr)
def test_a_sample_is_refused_by_its_own_rule_only(sample: Sample) -> None:
    assert list(refusals_of(sample, *RULES)) == ([sample.refused_by] if sample.refused_by else [])


@pytest.mark.parametrize("sample", REFUSED, ids=repr)
def test_a_refusal_says_what_where_what_is_allowed_and_what_to_do(sample: Sample) -> None:
    rule = RULES[sample.rule]
    for refusal in refusals_of(sample, sample.rule)[sample.rule]:
        where = f"{sample.manifest['kind']} {sample.namespace}/{sample.manifest['metadata']['name']}: "
        assert refusal.startswith(where)
        assert refusal.endswith(f". Allowed: {rule.allowed}. What to do: {rule.remedy}.")
        assert len(refusal) > len(where) + len(rule.advice) + 8
        assert "None" not in refusal.replace(rule.advice, "") or "forbidden" in refusal


def test_every_rule_has_one_check_and_every_check_a_rule() -> None:
    assert list(CHECKS) == list(RULES)


def some_pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", **container}]}}


def found(rule: str, resource_type: str, properties: dict[str, Any]) -> list[str]:
    return list(refusals(RULES[rule], resource_type, as_the_engine_sends_it(properties), SETTINGS["prod"]))


def test_each_object_of_a_list_is_looked_at() -> None:
    listing = {"items": [some_pod(image="web:1"), some_pod(image="web:2")]}
    refused = found("image-digest", "kubernetes:core/v1:PodList", listing)
    assert [text[:30] for text in refused] == ["Pod web: container web (web:1)", "Pod web: container web (web:2)"]


def test_a_part_of_an_object_is_left_to_the_cluster_which_sees_the_whole() -> None:
    assert found("resources", "kubernetes:core/v1:PodPatch", some_pod()) == []


def test_resources_of_other_providers_are_not_ours() -> None:
    assert list(manifests_of("random:index/randomId:RandomId", {"byteLength": 4})) == []


def test_a_value_that_is_not_known_yet_is_not_guessed() -> None:
    def read() -> Iterator[str]:
        yield from found("image-digest", "kubernetes:core/v1:Pod", some_pod(image=UNKNOWN_STRING_VALUE))

    with pytest.raises(UnknownValueError):
        list(read())


def test_a_secret_value_is_not_shown() -> None:
    secret = {
        "metadata": {"name": "web", "labels": {"palisade.dev/data-class": "nothing"}},
        "stringData": {"key": "hush"},
    }
    assert "hush" not in " ".join(found("data-regions", "kubernetes:core/v1:Secret", secret))
