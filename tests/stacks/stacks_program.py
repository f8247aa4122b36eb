"""Runs the Pulumi program against mocks, to its end, and returns what the engine was told."""

from __future__ import annotations

import asyncio
import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import ROOT, SETTINGS
from pulumi.runtime.stack import run_in_stack

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Graph:
    """What a run of the program declared."""

    resources: list[MockResourceArgs] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """The outputs of the stack, as the engine received them."""


class _RecordingMocks(Mocks):
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self._graph.resources.append(args)
        return f"{args.name}-id", args.inputs

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program asks the outside world: {args.token}")


class _RecordingMonitor(MockMonitor):
    def __init__(self, graph: Graph) -> None:
        super().__init__(_RecordingMocks(graph))
        self._graph = graph

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        if "::pulumi:pulumi:Stack::" in request.urn:
            self._graph.outputs = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


def run_program(environment: str, fleet: Any) -> Graph:
    """Run ``stacks/__main__.py`` as the stack of an environment with this ``palisade:fleet``; await everything."""
    graph = Graph()
    monitor = _RecordingMonitor(graph)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        set_mocks(monitor.mocks, project="palisade", stack=environment, preview=False, monitor=monitor)
        # set_mocks made a stack resource whose outputs are closed; the run makes its own, as `pulumi up` does.
        ROOT.set(None)
        SETTINGS.rpc_manager.clear()
        SETTINGS.outputs.clear()
        config = {} if fleet is None else {"palisade:fleet": json.dumps(fleet)}
        pulumi.runtime.set_all_config(config)
        loop.run_until_complete(run_in_stack(lambda: runpy.run_path(str(PROJECT_ROOT / "stacks")) and None))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return graph


def shipped_fleet(environment: str) -> Any:
    """``palisade:fleet`` of an environment that is shipped."""
    text = (PROJECT_ROOT / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["config"]["palisade:fleet"]
