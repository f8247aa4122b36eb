"""Pulumi's provider protocol: requests come in here, results and errors go out."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from importlib import metadata
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from kubernetes_provider import login
from kubernetes_provider.changes import Change
from kubernetes_provider.failures import AnswerError
from kubernetes_provider.paths import write
from kubernetes_provider.provider import Difference, ObjectProvider, Outcome, Resource
from kubernetes_provider.values import Properties, decode, encode
from kubernetes_provider.yaml_documents import decode_documents
from palisade.errors import PalisadeError

_THREADS = 256
"""Operations at once: one that waits for an object keeps its thread; Pulumi starts 16 unless --parallel says more."""
_KINDS = {
    (Change.ADD, False): provider_pb2.PropertyDiff.ADD,
    (Change.ADD, True): provider_pb2.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): provider_pb2.PropertyDiff.DELETE,
    (Change.DELETE, True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): provider_pb2.PropertyDiff.UPDATE,
    (Change.UPDATE, True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}
_IDENTIFIER = "clusterIdentifier"


class _Failure(grpc.Status):
    """How an operation ended, with the details that the engine reads."""

    def __init__(self, message: str, detail: Any) -> None:
        packed = AnyMessage()
        packed.Pack(detail)
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[packed])
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


def _answered(method: Callable[..., Any]) -> Callable[..., Any]:
    """Errors that are explained reach the user as they are; others with their type."""

    def call(self: Servicer, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except PalisadeError as error:
            context.abort(grpc.StatusCode.UNKNOWN, _words(error))
        except AnswerError as error:
            # It is about no object: the server does not even say which kinds it serves.
            context.abort(grpc.StatusCode.UNKNOWN, _words(error.explain(self.server)))
        except (LookupError, TypeError, ValueError) as error:
            # A fault of this program. Its message could quote an object, so only its place is told.
            context.abort(grpc.StatusCode.INTERNAL, f"unexpected {type(error).__name__} at {_place(error)}")

    return call


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Serves one engine.

    Args:
        engine: The address of the engine, which shows what is waited for.
    """

    def __init__(self, engine: str) -> None:
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine, options=_GRPC_CHANNEL_OPTIONS))
        self._provider: ObjectProvider | None = None
        self._cluster_is_known = True

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - names of the protocol
        """Pretend to be the plugin that belongs to the installed SDK."""
        return plugin_pb2.PluginInfo(version=metadata.version("pulumi-kubernetes"))

    @_answered
    def CheckConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Take the configuration as it is; what is wrong with it is said when it is used."""
        return provider_pb2.CheckResponse(inputs=request.news)

    @_answered
    def DiffConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Another cluster identifier is another cluster; everything else is another way to the same one."""
        old, new = decode(request.olds).value, decode(request.news).value
        changed = sorted(key for key in {*old, *new} if old.get(key) != new.get(key) and key != "version")
        is_other = bool(old.get(_IDENTIFIER)) and old.get(_IDENTIFIER) != new.get(_IDENTIFIER)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=[_IDENTIFIER] if is_other else [],
        )

    @_answered
    def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Connect to the cluster that the configuration names."""
        inputs = decode(request.args).value if request.HasField("args") else {}
        inputs |= {key.rpartition(":")[2]: value for key, value in request.variables.items() if not inputs}
        settings = login.Settings.of(inputs)
        cluster = login.connect(settings) if settings.is_known else None
        self._provider = ObjectProvider(settings, cluster, self._report)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    @_answered
    def Invoke(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Read YAML documents for ConfigFile and ConfigGroup."""
        result = decode_documents(request.tok, decode(request.args).value)
        answer: dict[str, Any] = {"return": encode({"result": result})}  # a word that Python keeps for itself
        return provider_pb2.InvokeResponse(**answer)

    @_answered
    def Check(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Complete the inputs of a resource."""
        checked = self._objects.check(
            _resource(request), decode(request.olds), decode(request.news), request.randomSeed
        )
        return provider_pb2.CheckResponse(inputs=_struct(checked))

    @_answered
    def Diff(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Say what a change would do."""
        old = decode(request.old_inputs if request.old_inputs.fields else request.olds)
        return _diff_answer(self._objects.diff(_resource(request), old, decode(request.olds), decode(request.news)))

    @_answered
    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make an object."""
        outcome = self._objects.create(
            _resource(request), decode(request.properties), request.timeout, preview=request.preview
        )
        _refuse_unready(outcome, context)
        return provider_pb2.CreateResponse(id="" if request.preview else outcome.id, properties=_struct(outcome.state))

    @_answered
    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change an object."""
        outcome = self._objects.update(
            _resource(request),
            decode(request.old_inputs),
            decode(request.olds),
            decode(request.news),
            request.timeout,
            preview=request.preview,
        )
        _refuse_unready(outcome, context)
        return provider_pb2.UpdateResponse(properties=_struct(outcome.state))

    @_answered
    def Read(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Look at an object."""
        outcome = self._objects.read(_resource(request), request.id, decode(request.inputs), decode(request.properties))
        if outcome is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=outcome.id, properties=_struct(outcome.state), inputs=_struct(outcome.inputs)
        )

    @_answered
    def Delete(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """Delete an object."""
        self._objects.delete(
            _resource(request), decode(request.properties), decode(request.old_inputs), request.id, request.timeout
        )
        return Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """Stop waiting."""
        if self._provider is not None:
            self._provider.cancelled.set()
        return Empty()

    @property
    def server(self) -> str:
        """The address of the API server; empty before the configuration."""
        return self._provider.server if self._provider is not None else ""

    @property
    def _objects(self) -> ObjectProvider:
        if self._provider is None:
            raise PalisadeError("The provider is not configured.", where="Pulumi's engine")
        return self._provider

    def _report(self, urn: str, text: str) -> None:
        message = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=text, urn=urn, ephemeral=True)
        self._engine.Log.future(message)  # nobody waits for a line on the screen


def main() -> None:
    """Serve until the engine ends this program, or ends itself."""
    engine = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_THREADS), options=_GRPC_CHANNEL_OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What needs a second to load is loaded while the engine still reads the program.
    import kubernetes.config  # noqa: F401, PLC0415

    server.wait_for_termination()


def _end_with_parent() -> None:
    """An engine that was killed cannot end its plugins."""
    try:
        parent = os.pidfd_open(os.getppid())
    except ProcessLookupError:
        os._exit(1)
    select.select([parent], [], [])
    os._exit(1)


def _words(error: PalisadeError) -> str:
    return str(error).removeprefix("error: ")


def _resource(request: Any) -> Resource:
    parts = request.urn.split("::")
    return Resource(request.urn, request.type or parts[-2].rpartition("$")[2], request.name or parts[-1])


def _struct(properties: Properties) -> Struct:
    return encode(properties.value, properties.secrets)


def _diff_answer(difference: Difference) -> Any:
    detailed = {
        write(path): provider_pb2.PropertyDiff(kind=_KINDS[change, path in difference.replaces], inputDiff=True)
        for path, change in difference.changes.items()
    }
    some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
    return provider_pb2.DiffResponse(
        changes=some if difference.changes else none,
        diffs=sorted({str(path[0]) for path in difference.changes}),
        replaces=sorted(write(path) for path in difference.replaces),
        deleteBeforeReplace=difference.delete_first,
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


def _refuse_unready(outcome: Outcome, context: grpc.ServicerContext) -> None:
    """An object that is there goes into the state, and the operation fails all the same."""
    if not outcome.unready:
        return
    detail = provider_pb2.ErrorResourceInitFailed(
        id=outcome.id,
        properties=_struct(outcome.state),
        reasons=list(outcome.unready),
        inputs=_struct(outcome.inputs),
    )
    message = f"{outcome.id} is there, but not as it should be"
    context.abort_with_status(_Failure(message, detail))


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else "?"  # noqa: PTH119
