"""What is refused in the files of the rules, and how the pack is started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from palisade.config import load_configuration
from palisade.errors import ConfigurationError
from palisade.policies import admission
from palisade.policies.rules import RULES_FILE, load_rules
from palisade.policies.settings import PolicySettings, declared_settings, policy_settings
from palisade.project import Project

ROOT = Path(__file__).resolve().parents[2]


def first_rule(**changes: object) -> dict[str, object]:
    (first, *_) = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    return {**first, **changes}


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([first_rule(), first_rule()], "The rule image-digest stands twice."),
        ([first_rule(references={"pci_dss_4_0_1": ["SC-7"]})], "'SC-7' is not a reference to pci_dss_4_0_1."),
        ([first_rule(references={"iso_27001": ["A.8"]})], "policies.rules.0.references"),
        ([first_rule(id="Image_Digest")], "lower-case words joined by -"),
        ([first_rule(remedy="fix it")], "a sentence of at least 12 characters"),
        ([first_rule(severity="high")], "This key is not known."),
        ([{"id": "half"}], "This key is missing."),
    ],
    ids=[
        "an id twice",
        "a wrong reference",
        "an unknown catalogue",
        "an odd id",
        "no advice",
        "a new key",
        "half a rule",
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, rules: list[object], said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_rules(path)
    assert said in str(refused.value)


def test_a_subject_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subjects").mkdir()
    (tmp_path / "subjects/pods.yaml").touch()
    part = {"subject": "pod", "validations": [{"problem": "is there", "offenders": "[]"}]}
    (tmp_path / "image-digest.yaml").write_text(yaml.safe_dump([part]), encoding="utf-8")
    monkeypatch.setattr(admission, "ADMISSION", tmp_path)
    with pytest.raises(ConfigurationError, match=r"There is no subject pod\.[\s\S]*allowed: pods"):
        admission.admission_policies({"image-digest": load_rules()["image-digest"]}, PolicySettings())


def test_only_the_variables_that_an_expression_needs_are_in_a_policy() -> None:
    policies = {policy.name: policy for policy in admission.admission_policies(load_rules(), PolicySettings())}
    variables = [variable["name"] for variable in policies["palisade-host-namespaces"].spec["variables"]]
    assert variables == ["pod", "offenders_1"]


def test_settings_and_declarations_come_from_the_configuration() -> None:
    prod = load_configuration(Project(root=ROOT), "prod")
    regions = ("eu-central-1", "eu-west-1")
    assert policy_settings(prod) == PolicySettings(local=False, regions={"audit": regions, "metadata": regions})
    assert policy_settings(load_configuration(Project(root=ROOT), "local")).local
    assert declared_settings(prod)["retention_days"] == str(prod.audit.retention_days)
    assert declared_settings(prod)["region.audit"] == prod.data_classes["audit"].region


def test_who_starts_the_pack_by_hand_is_told_how_it_is_used() -> None:
    program = Path(sys.executable).parent / "pulumi-analyzer-policy-pypack"
    started = subprocess.run([program], capture_output=True, text=True, timeout=30, check=False)
    assert started.returncode == 1
    assert "pulumi preview --policy-pack policies/pulumi" in started.stderr
