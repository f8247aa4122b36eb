"""Runs the Pulumi program against a monitor that only takes notes, and returns what an engine would have been told.

Nothing is started and nothing is called: no ``pulumi``, no provider, no cluster. The program runs in this process; what
a cluster would have to answer is unknown to it, as in the preview of something new, unless the caller has the answers.
"""

from __future__ import annotations

import asyncio
import json
import runpy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import ROOT, SETTINGS
from pulumi.runtime.stack import run_in_stack

PROJECT_NAME = "palisade"
ORGANIZATION = "organization"
"""What a file backend calls it."""
PROGRAM_FOLDER = "stacks"
CONFIGURATION_KEY = "palisade:fleet"
_STACK_TYPE = "pulumi:pulumi:Stack"
_READ_ANYWAY: Mapping[str, Mapping[str, Any]] = {"pulumi:pulumi:StackReference": {"outputs": {}}}
"""What is read of a type when nobody knows more: a stack that was never updated has no outputs."""


@dataclass(frozen=True)
class Declared:
    """One resource of the program."""

    type: str
    """Its type token, such as ``kubernetes:core/v1:Namespace``."""
    name: str
    """Its name in Pulumi."""
    inputs: Mapping[str, Any]
    parent: str = ""
    """The URN of what it belongs to."""
    provider: str = ""
    """The URN and the id of its provider; empty for a component and for a provider."""
    dependencies: tuple[str, ...] = ()
    """The URNs of what must be there first, sorted."""
    is_read: bool = False
    """Whether it is only looked at, because somebody else made it."""

    @property
    def is_component(self) -> bool:
        """Whether it is a group of resources and nothing in itself."""
        return self.type.startswith(f"{PROJECT_NAME}:")

    @property
    def is_object(self) -> bool:
        """Whether it is an object of a Kubernetes cluster."""
        return self.type.startswith("kubernetes:") and not self.is_read


@dataclass
class Graph:
    """What a run of the program declared."""

    resources: list[Declared] = field(default_factory=list)
    """Sorted by type and name; Pulumi registers resources in no particular order."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """The outputs of the stack, as an engine would receive them."""
    component_outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What each component registered when it was complete, by its URN."""

    @property
    def objects(self) -> list[Declared]:
        """The objects of the cluster."""
        return [resource for resource in self.resources if resource.is_object]


class _Answers(Mocks):
    def __init__(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        self._known = known

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.resource_id:
            return args.resource_id, dict(self._known.get(args.name, _READ_ANYWAY.get(args.typ, {})))
        return f"{args.name}-id", args.inputs

    def call(self, args: MockCallArgs) -> Any:
        raise AssertionError(f"the program asks the outside world: {args.token}")


class _NoteTaker(MockMonitor):
    def __init__(self, graph: Graph, known: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__(_Answers(known))
        self._graph = graph
        self._lock = threading.Lock()

    def _note(self, request: Any, inputs: Any, *, is_read: bool) -> None:
        declared = Declared(
            type=request.type,
            name=request.name,
            inputs=rpc.deserialize_properties(inputs, keep_unknowns=True),
            parent=request.parent,
            provider=request.provider,
            dependencies=tuple(sorted(request.dependencies)),
            is_read=is_read,
        )
        with self._lock:
            self._graph.resources.append(declared)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        if request.type != _STACK_TYPE:
            self._note(request, request.object, is_read=False)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        self._note(request, request.properties, is_read=True)
        return super().ReadResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        with self._lock:
            if f"::{_STACK_TYPE}::" in request.urn:
                self._graph.outputs = outputs
            else:
                self._graph.component_outputs[request.urn] = outputs
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def run_program(
    root: Path, environment: str, fleet: Any, *, found: Mapping[str, Mapping[str, Any]] | None = None
) -> Graph:
    """Run the program of a project as the stack of an environment, to its end.

    Args:
        root: The project.
        environment: The name of the stack.
        fleet: What stands under ``palisade:fleet``; None for a stack without configuration.
        found: What the cluster has, by the name of the resource that reads it. None means that nobody knows, as in the
            preview of something new: what depends on an answer stays open.

    Returns:
        Everything that was declared; the same configuration gives the same graph.

    Raises:
        RunError: the program refused its configuration or what it found.
    """
    return run(lambda: _run(root), environment, fleet, found=found)


def run(
    program: Callable[[], None], environment: str, fleet: Any, *, found: Mapping[str, Mapping[str, Any]] | None = None
) -> Graph:
    """Run something that declares resources, as :func:`run_program` runs a project's program.

    Args:
        program: Declares them.
        environment: The name of the stack.
        fleet: What stands under ``palisade:fleet``; None for a stack without configuration.
        found: What the cluster has; None means that nobody knows.
    """
    graph = Graph()
    monitor = _NoteTaker(graph, found or {})
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        set_mocks(
            monitor.mocks,
            project=PROJECT_NAME,
            stack=environment,
            preview=found is None,
            monitor=monitor,
            organization=ORGANIZATION,
        )
        # set_mocks made a stack resource whose outputs are closed; the run makes its own, as `pulumi up` does.
        ROOT.set(None)
        SETTINGS.rpc_manager.clear()
        SETTINGS.outputs.clear()
        config = {} if fleet is None else {CONFIGURATION_KEY: json.dumps(fleet)}
        pulumi.runtime.set_all_config(config)
        loop.run_until_complete(run_in_stack(program))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    graph.resources.sort(key=lambda resource: (resource.type, resource.name))
    return graph


def _run(root: Path) -> None:
    runpy.run_path(str(root / PROGRAM_FOLDER))
