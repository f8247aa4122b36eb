"""Contract 3: every control has one check, one place that implements it and one change that proves the check."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from palisade.controls import AdmissionPolicy, Control, RoleTag, StackComponent, VaultDeclaration, load_controls
from palisade.verification.reference import reference
from palisade.verification.suite import CHECKS_DIRECTORY

ROOT = Path(__file__).resolve().parents[2]
CONTROLS = load_controls(ROOT).controls
SHARED_KERNEL_CHECKS = {
    "tests/verify/test_kernel.py::test_kernel_wide_setting",
    "tests/verify/test_kernel.py::test_denied_module",
}


def checks() -> set[str]:
    found = set()
    for path in sorted((ROOT / CHECKS_DIRECTORY).glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{CHECKS_DIRECTORY}/{path.name}::{node.name}")
    return found


def tags_of(role: str) -> set[str]:
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            tags = node.get("tags", [])
            found.update([tags] if isinstance(tags, str) else tags)
            for name in ("block", "rescue", "always"):
                walk(node.get(name, []))

    for path in sorted((ROOT / "roles" / role / "tasks").glob("*.yml")):
        walk(yaml.safe_load(path.read_text(encoding="utf-8")))
    return found


def twice(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def test_every_control_has_a_check_that_exists() -> None:
    assert {control.verified_by for control in CONTROLS} - checks() == set()


def test_every_check_is_named_by_a_control() -> None:
    assert checks() - {control.verified_by for control in CONTROLS} == set()


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_what_implements_a_control_exists(control: Control) -> None:
    match control.implemented_by:
        case RoleTag(role=role, tag=tag):
            assert tag in tags_of(role)
        case StackComponent(component=component):
            assert (ROOT / "stacks" / f"{component}.py").is_file()
        case VaultDeclaration(vault=vault):
            assert (ROOT / "policies" / "vault" / f"{vault}.yaml").is_file()
        case AdmissionPolicy(policy=policy):
            assert (ROOT / "policies" / "admission" / f"{policy}.yaml").is_file()


def test_no_title_is_used_twice() -> None:
    assert twice([control.title for control in CONTROLS]) == []


def test_no_change_proves_two_controls() -> None:
    assert twice([" ".join(control.proven_by.split()) for control in CONTROLS]) == []


def test_breadth() -> None:
    assessable = [control for control in CONTROLS if control.verified_by not in SHARED_KERNEL_CHECKS]
    assert len(CONTROLS) >= 80
    assert len(assessable) >= 62, "in a container, where nothing of the kernel itself can be shown"


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_proof_leaves_the_machine_of_the_hosts_alone(control: Control) -> None:
    """Hosts can be containers: their kernel, modules and clock are those of the machine that carries them."""
    reaches_out = (
        r"modprobe |insmod|rmmod|hwclock|timedatectl|\bdate -|/proc/sys/(kernel|fs|vm|dev)"
        r"|sysctl \S+ (kernel|fs|vm|dev)\."
    )
    assert not re.search(reaches_out, control.proven_by)
    if control.verified_by in SHARED_KERNEL_CHECKS:
        assert re.search(r">> /etc/sysctl\.d/|sed -i .* /etc/modprobe\.d/", control.proven_by)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_proof_locks_nobody_out(control: Control) -> None:
    locks_out = (
        r"PubkeyAuthentication no|UsePAM no|(stop|disable --now|mask) ssh|flush ruleset|userdel"
        r"|nft (?!delete rule|--handle list).*\b(drop|reject)\b"
    )
    assert not re.search(locks_out, control.proven_by)


def test_the_page_of_the_controls_is_up_to_date() -> None:
    command = "python -m palisade.verification.reference > docs/controls.md"
    assert (ROOT / "docs/controls.md").read_text(encoding="utf-8") == reference(load_controls(ROOT)), command
