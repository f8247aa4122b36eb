"""What the stack keeps when its policy bundle is missing, with the plain ``pulumi`` and a real API server.

The program is a small one around the function that the stack's program calls; its registry is a ConfigMap.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.dynamic import DynamicClient
from pulumi_stack import PlainStack, plain_stack

from tests.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
NAME = "kept-registry"
PROGRAM = f"""
import os
import sys

sys.path.insert(0, {str(ROOT)!r})
import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap
from palisade.errors import PalisadeError
from stacks.last_update import REGISTRY, refuse_to_lose_the_registry


async def main():
    bundle = os.environ["VALUE"] == "bundle"
    if bundle:
        ConfigMap("registry", metadata={{"name": "{NAME}", "namespace": "default"}})
    else:
        try:
            await refuse_to_lose_the_registry()
        except PalisadeError as error:
            raise pulumi.RunError(str(error)) from error
    return {{REGISTRY: bundle}}


pulumi.run(main)
"""


@pytest.fixture
def stack(plane: ControlPlane, tmp_path: Path) -> PlainStack:
    return plain_stack(tmp_path, plane, PROGRAM)


def test_an_update_without_the_bundle_removes_nothing(stack: PlainStack, cluster: DynamicClient) -> None:
    up = ("up", "--yes", "--skip-preview")
    maps = cluster.resources.get(api_version="v1", kind="ConfigMap")

    stack.environment["VALUE"] = "none"
    stack.run(*up)  # the first one comes before the bundle

    stack.environment["VALUE"] = "bundle"
    stack.run(*up)
    uid = maps.get(NAME, "default").metadata.uid

    stack.environment["VALUE"] = "none"
    for arguments in (("preview",), up, up):  # a refusal does not make the stack forget
        printed = stack.run(*arguments, fails=True)
        assert "what to do: palisade bundle build test" in printed
        assert "Traceback" not in printed
        assert maps.get(NAME, "default").metadata.uid == uid

    stack.environment["VALUE"] = "bundle"
    stack.run(*up)
    assert maps.get(NAME, "default").metadata.uid == uid
    assert stack.operations() == {}
    stack.run("destroy", "--yes", "--skip-preview")
