"""Fleets, controls and small suites for the tests of the verification."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from textwrap import dedent
from typing import Any

from palisade.controls import Control, ControlRegistry, Framework, RoleTag, Scope
from palisade.fleet import Fleet, FleetHost, FleetNetworks, HostGroup
from palisade.verification.connections import Connections
from palisade.verification.run import Suite
from palisade.verification.waivers import Waivers

NETWORK = IPv4Network("10.77.0.0/24")


def a_fleet(**hosts: HostGroup) -> Fleet:
    chosen = hosts or {"bastion-1": HostGroup.BASTION, "registry-1": HostGroup.REGISTRY}
    return Fleet(
        version=3,
        environment="local",
        hosts=tuple(
            FleetHost(name=name.replace("_", "-"), group=group, address=IPv4Address("10.77.0.10") + number)
            for number, (name, group) in enumerate(chosen.items())
        ),
        networks=FleetNetworks(fleet=NETWORK, operators=(NETWORK,), clients=(NETWORK,)),
    )


def a_control(
    identifier: str,
    *,
    check: str = "tests/verify/test_tiny.py::test_tiny",
    expected: Mapping[str, Any] | None = None,
    proven_by: str = "true # nothing is changed",
    applies_to: tuple[HostGroup | Scope, ...] = (HostGroup.REGISTRY,),
) -> Control:
    return Control(
        id=identifier,
        title=f"The title of {identifier}",
        why="Because somebody could otherwise do something bad.",
        applies_to=applies_to,
        implemented_by=RoleTag(role="os_hardening", tag="sysctl"),
        verified_by=check,
        expected=dict(expected or {"settings": {"value": "good"}}),
        proven_by=proven_by,
        references={Framework.NIST_800_53: ("SC-7",)},
    )


def a_registry(*controls: Control) -> ControlRegistry:
    return ControlRegistry(controls=tuple(sorted(controls, key=lambda control: control.id)))


def a_suite(
    root: Path,
    name: str,
    checks: str,
    registry: ControlRegistry,
    connections: Connections,
    waivers: Waivers | None = None,
) -> Suite:
    """A checkout with one file of checks; its name must not be used by another test of this process."""
    folder = root / "tests" / "verify"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (folder / name).write_text(dedent(checks), encoding="utf-8")
    return Suite(root=root, registry=registry, connections=connections, waivers=waivers or Waivers(), commit="abc")
