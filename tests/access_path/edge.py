"""The access path as local processes: real Envoy, real OPA, an issuer, and a service behind the API."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from palisade.access_path.model import AccessPath, Endpoint, Neighbours, Places, Ports
from palisade.access_path.rendering import RECORD_MILLISECONDS, envoy_arguments, render_envoy
from palisade.config_access import Access, Tokens
from palisade.config_values import TlsVersion
from palisade.local.certificates import Authority, Subject
from palisade.registry.model import Apis, Upstream
from tests.access_path.client import Client
from tests.access_path.issuer import AUDIENCE, Issuer
from tests.access_path.servers import echo, http_server
from tests.control_plane.processes import Daemon, free_ports

POLICY = Path(__file__).with_name("decision.rego")
READY_SECONDS = 20.0
SLOW_SECONDS = 2.0
"""How long the service takes for a path that ends with ``/slow``."""
LOOPBACK = IPv4Address("127.0.0.1")


def api(name: str, port: int, *operations: dict[str, Any], state: str = "ENABLED") -> dict[str, Any]:
    """One API of the document, behind a port of loopback."""
    return {
        "name": name,
        "version": "1.0.0",
        "state": state,
        "owner": "tests",
        "git_commit": "0" * 40,
        "upstream": {"host": "127.0.0.1", "port": port},
        "operations": list(operations),
    }


def operation(path: str, *roles: str, method: str = "GET", minimum_tls: str = "1.2") -> dict[str, Any]:
    """One operation of the document."""
    return {"method": method, "path": path, "roles": list(roles), "minimum_tls": minimum_tls}


def finance(port: int) -> Apis:
    """The APIs that most tests ask."""
    operations = (
        operation("/v1/finance/records", "compliance_officer", minimum_tls="1.3"),
        operation("/v1/finance/records/{record}", "compliance_officer"),
        operation("/v1/finance/summary", "analyst", "compliance_officer"),
        operation("/v1/finance/records", "compliance_officer", method="POST"),
    )
    gone = api("ledger", port, operation("/v1/ledger", "analyst"), state="DISABLED")
    return registered(api("finance", port, *operations), gone)


def registered(*apis: dict[str, Any]) -> Apis:
    """The document about these APIs, whose services are on loopback: no file and no OpenAPI document may say so."""
    elsewhere = {"host": "service.example", "port": 80}
    read = Apis.model_validate({"apis": [{**one, "upstream": elsewhere} for one in apis]})
    moved = (
        one.model_copy(update={"upstream": Upstream.model_construct(**wanted["upstream"])})
        for one, wanted in zip(read.apis, apis, strict=True)
    )
    return read.model_copy(update={"apis": tuple(moved)})


@dataclass
class Edge:
    """A running access path."""

    directory: Path
    issuer: Issuer
    model: AccessPath
    authority: Authority
    asked: list[str] = field(default_factory=list)
    """The paths that the service behind the API was asked for."""
    sent: list[str] = field(default_factory=list)
    """The paths of all requests to this Envoy that were answered."""
    envoy: Daemon = field(init=False)
    opa: Daemon = field(init=False)

    def client(self, port: int | None = None) -> Client:
        return Client(port or self.model.ports.apis, self.directory / "keys/authority.crt", self.sent)

    @property
    def management(self) -> Client:
        return self.client(self.model.ports.management)

    def bearer(self, *roles: str, **claims: Any) -> dict[str, str]:
        """The headers of a sound request."""
        return {"Authorization": f"Bearer {self.issuer.token(*roles, **claims)}", "X-Request-ID": "a-test"}

    def records(self, kind: str = "request") -> list[dict[str, Any]]:
        """Everything that Envoy has recorded until now, of one kind."""
        lines = self.envoy.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in found if record["record"] == kind]

    def new_record(self, act: Callable[[], Any], kind: str = "request") -> tuple[Any, dict[str, Any]]:
        """What an act returns, and the one record that it leaves."""
        self.settle()
        before = len(self.records(kind))
        result = act()
        self.wait_until(lambda: len(self.records(kind)) > before)
        self.settle()
        found = self.records(kind)[before:]
        assert len(found) == 1, found
        return result, found[0]

    def settle(self) -> None:
        """Wait until there are as many records as requests."""
        self.wait_until(lambda: len(self.records()) >= len(self.sent))
        assert len(self.records()) == len(self.sent)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        self.envoy.wait_until(condition, seconds)

    def write(self, model: AccessPath) -> None:
        """Replace the files of Envoy, each by one rename."""
        for name, text in render_envoy(model).items():
            partial = self.directory / f"{name}.partial"
            partial.write_text(text, encoding="utf-8")
            partial.rename(Path(model.places.configuration) / name)

    def new_certificate(self) -> None:
        """A certificate with another serial number, key first, as an agent would put it there."""
        (self.directory / "keys/edge.crt").unlink(missing_ok=True)
        pair = self.authority.issue("edge", Subject("edge", names=("localhost",), addresses=(LOOPBACK,)))
        for name, text in (("tls.key", pair.key), ("tls.crt", pair.certificate)):
            partial = self.directory / name
            partial.write_text(text, encoding="ascii")
            partial.rename(Path(self.model.places.certificates) / name)

    def start_envoy(self, program: Sequence[str] = ("envoy",)) -> None:
        arguments = envoy_arguments(self.model.places.configuration, workers=1)
        fast = ["50" if one == str(RECORD_MILLISECONDS) else one for one in arguments]
        self.sent.clear()
        self.envoy = Daemon("envoy", [*program, *fast], self.directory)
        self.envoy.wait_until(lambda: answers(self.model.ports.health, "/envoy"), READY_SECONDS)

    def start_opa(self) -> None:
        Path(self.model.places.policy_socket).unlink(missing_ok=True)
        port = self.model.neighbours.policy_health.port
        command = [opa_program(), "run", "--server", f"--addr=127.0.0.1:{port}", "--log-level=error"]
        self.opa = Daemon("opa", [*command, "--config-file=opa.json", "decision.rego", "data.json"], self.directory)
        self.opa.wait_until(lambda: answers(port, "/health"), READY_SECONDS)

    def stop_opa(self) -> None:
        self.opa.send(signal.SIGKILL)
        self.opa.wait(5)

    @contextmanager
    def hung_opa(self) -> Iterator[None]:
        """Have OPA hang: a busy machine takes a moment to stop all its threads."""
        self.opa.send(signal.SIGSTOP)
        try:
            self.opa.wait_until(lambda: thread_states(self.opa.pid) == {"T"}, 5)
            yield
        finally:
            self.opa.send(signal.SIGCONT)


def thread_states(process: int) -> set[str]:
    """The states of the threads of a process, as proc(5) writes them."""
    texts = [path.read_text() for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return {text.rpartition(")")[2].split()[0] for text in texts}


def opa_program() -> str:
    """OPA with the Envoy plugin: on PATH, or in the cache of tools."""
    found = shutil.which("opa-envoy-plugin")
    if found:
        return found
    # Here and not above: only these tests need it.
    from palisade.console import Steps  # noqa: PLC0415
    from palisade.project import Project  # noqa: PLC0415
    from palisade.tools import ensure, step_titles  # noqa: PLC0415

    project = Project.find(Path(__file__))
    return str(
        ensure(project, ["opa-envoy-plugin"], Steps(step_titles(project, ["opa-envoy-plugin"])))["opa-envoy-plugin"]
    )


def answers(port: int, path: str) -> bool:
    """Whether something answers 200 to a plain request."""
    return status(port, path) == 200


def status(port: int, path: str) -> int:
    """The status of a plain request; 0 if nothing listens."""
    import http.client  # noqa: PLC0415

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@contextmanager
def edge(
    directory: Path,
    *,
    minimum_tls: TlsVersion = TlsVersion.TLS_1_2,
    access: Access | None = None,
    kind: type[Edge] = Edge,
) -> Iterator[Edge]:
    """Run everything; all of it has ended afterwards.

    Args:
        directory: Where its files are.
        minimum_tls: The lowest TLS version.
        access: What a request must bring.
        kind: What runs, and how it is started.
    """
    authority = Authority(directory / "keys", "the fleet of a test")
    names = ("envoy", "certificates", "authority", "opa.sock", "opa-bundle")
    places = Places(*(str(directory / name) for name in names))
    for place in (places.configuration, places.certificates, places.authority, places.bundle):
        Path(place).mkdir()
    (Path(places.authority) / "issuer.crt").write_text(authority.certificate)
    authority.issue("issuer", Subject("issuer", names=("localhost",), addresses=(LOOPBACK,)))
    issuer = Issuer()
    apis_port, management, health, admin, bundle, opa_health = free_ports(6)
    asked: list[str] = []

    def upstream(request: Any) -> bytes:
        asked.append(request.path)
        if request.path.endswith("/slow"):
            time.sleep(SLOW_SECONDS)
        return echo(request)

    with ExitStack() as stack:
        behind = stack.enter_context(http_server(upstream))
        pair = (directory / "keys/issuer.crt", directory / "keys/issuer.key")
        jwks = stack.enter_context(http_server(lambda _: issuer.jwks.encode(), pair=pair))
        model = AccessPath(
            environment="test",
            minimum_tls=minimum_tls,
            tokens=Tokens(issuer=issuer.address, jwks_uri=f"https://127.0.0.1:{jwks}/keys", audience=AUDIENCE),
            access=access or Access(),
            apis=finance(behind),
            places=places,
            ports=Ports("127.0.0.1", apis_port, management, health, admin, bundle, "127.0.0.1"),
            neighbours=replace(
                Neighbours(),
                registry=Endpoint("127.0.0.1", behind),
                registry_health=Endpoint("127.0.0.1", behind),
                policy_health=Endpoint("127.0.0.1", opa_health),
            ),
        )
        made = kind(directory, issuer, model, authority, asked)
        _write_policy(made)
        made.new_certificate()
        made.write(model)
        for start, name in ((made.start_opa, "opa"), (made.start_envoy, "envoy")):
            start()
            stack.callback(lambda name=name: getattr(made, name).stop())
        yield made


def _write_policy(made: Edge) -> None:
    operations = [
        {**one.model_dump(mode="json"), "pattern": f"^{pattern(one.path)}$"}
        for api in made.model.apis.apis
        for one in api.operations
    ]
    data = {"operations": operations, "required_headers": list(made.model.access.required_headers)}
    (made.directory / "data.json").write_text(json.dumps(data))
    shutil.copy(POLICY, made.directory / "decision.rego")
    plugin = {"addr": f"unix://{made.model.places.policy_socket}", "path": "api/compliance/decision"}
    (made.directory / "opa.json").write_text(json.dumps({"plugins": {"envoy_ext_authz_grpc": plugin}}))


def pattern(path: str) -> str:
    """A path template as a regular expression, for the policy of these tests."""
    import re  # noqa: PLC0415

    return re.sub(r"\{[^}]*\}", "[^/]+", path.replace(".", r"\."))
