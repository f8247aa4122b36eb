"""The access paths that are compared: three simpler ones, and that of Palisade with its own policy and bundle."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from benchmarks.access_path.load import Target
from palisade.access_path.opa import BUNDLE_NAME, ENVIRONMENT, OpaSettings, opa_arguments, render_opa
from palisade.bundle.archive import Bundle
from palisade.bundle.build import POLICIES
from palisade.bundle.lookup import lookup
from palisade.bundle.signing import KeyFileSigner
from palisade.config_access import Access
from palisade.local.certificates import Authority, Subject
from palisade.registry.model import Apis
from tests.access_path.edge import (
    LOOPBACK,
    READY_SECONDS,
    Edge,
    api,
    edge,
    finance,
    opa_program,
    operation,
    registered,
    status,
)
from tests.control_plane.processes import Daemon, free_ports

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATH = "/v1/finance/records"
PATH_WITH_PARAMETER = f"{PATH}/4711"
MANY = 1_000
"""How many operations the variant with many has: all paths have a parameter, and the one that is asked comes last."""
PATIENT = Access(policy_timeout_milliseconds=1000)
"""At full load decisions wait; an answer 503 costs less and would make the figures better than they are."""
_POLICY = "api/compliance/compliance.rego"


@dataclass(frozen=True)
class Variant:
    """One access path that runs."""

    title: str
    target: Target
    processes: Mapping[str, int]


class OwnEdge(Edge):
    """Ours as the fleet runs it: the signed bundle comes from Envoy, and the service is the one of all variants."""

    upstream: ClassVar[int]
    decision_log: ClassVar[bool] = False

    def apis(self) -> Apis:
        """What is registered."""
        return finance(self.upstream)

    def start_opa(self) -> None:
        """Start OPA as in a registry pod."""
        self.model = replace(self.model, apis=self.apis())
        self.write(self.model)
        model, folder = self.model, self.directory / "opa"
        folder.mkdir()
        key = self.directory / "signing.pem"
        made = generate_private_key(public_exponent=65537, key_size=3072)
        key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        signer = KeyFileSigner(key)
        data = lookup(model.apis, model.access.required_headers, model.minimum_tls)
        policy = {_POLICY: (ROOT / POLICIES.parent / _POLICY).read_bytes()}
        Path(model.places.bundle, BUNDLE_NAME).write_bytes(Bundle(policy, data, model.environment).archive(signer))
        settings = OpaSettings(
            environment=model.environment,
            verification_key=signer.public_key(),
            bundle_url=f"http://127.0.0.1:{model.ports.bundle}",
            socket=model.places.policy_socket,
            persistence_directory=str(folder / "kept"),
            decision_log=self.decision_log,
        )
        for name, text in render_opa(settings).items():
            (folder / name).write_text(text, encoding="utf-8")
        health = model.neighbours.policy_health.port
        command = [opa_program(), *opa_arguments(str(folder), health_address=f"127.0.0.1:{health}")]
        self.opa = Daemon(
            "opa", ["env", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), *command], self.directory
        )
        self.opa.wait_until(lambda: status(health, "/health") == 200, READY_SECONDS)  # noqa: PLR2004


class OwnEdgeWithTwoLogs(OwnEdge):
    """The same where OPA logs each decision as well."""

    decision_log = True


class OwnEdgeWithManyOperations(OwnEdge):
    """The same with many operations: Envoy goes through its routes from the top."""

    def apis(self) -> Apis:
        """What is registered."""
        paths = (f"/v1/accounts-{number:04}/records/{{record}}" for number in range(MANY - 1))
        own = operation(f"{PATH}/{{record}}", "compliance_officer")
        others = [operation(path, "compliance_officer") for path in paths]
        return registered(api("finance", self.upstream, *others, own))


@contextmanager
def variants(directory: Path) -> Iterator[list[Variant]]:
    """Start all of them on loopback; each Envoy has one thread that serves."""
    with ExitStack() as stack:

        def start(name: str, command: list[str], ready: Callable[[], bool]) -> int:
            daemon = Daemon(name, command, directory)
            stack.callback(daemon.stop)
            daemon.wait_until(ready, READY_SECONDS)
            return daemon.pid

        def envoy(kind: str, **names: object) -> tuple[int, int]:
            port, admin = free_ports(2)
            file = directory / f"{kind}.yaml"
            file.write_text(_template().render(kind=kind, port=port, admin=admin, **names))
            command = ["envoy", "--config-path", str(file), "--concurrency", "1", "--disable-hot-restart"]
            ready = lambda: status(admin, "/ready") == 200  # noqa: E731, PLR2004
            return port, start(kind, [*command, "--log-level", "error"], ready)

        authority = Authority(directory / "keys", "a benchmark")
        authority.issue("edge", Subject("edge", names=("localhost",), addresses=(LOOPBACK,)))
        trusted = directory / "keys/authority.crt"
        pair = {"certificate": str(directory / "keys/edge.crt"), "key": str(directory / "keys/edge.key")}
        upstream, _ = envoy("upstream")
        found = []
        for kind, title in (("plain", "plain TLS proxy"), ("json", "plain, with a JSON access log")):
            port, process = envoy(kind, upstream=upstream, **pair)
            found.append(Variant(title, Target(f"https://127.0.0.1:{port}{PATH}", trusted, {}), {"Envoy": process}))
        opa_port, opa_health = free_ports(2)
        opa = start("opa", _tutorial_opa(opa_port, opa_health), lambda: status(opa_health, "/health") == 200)  # noqa: PLR2004
        port, process = envoy("tutorial", upstream=upstream, opa=opa_port, **pair)
        guest = {"Authorization": f"Bearer {_guest_token()}"}
        found.append(
            Variant(
                "OPA's tutorial for Envoy, with TLS",
                Target(f"https://127.0.0.1:{port}{PATH}", trusted, guest),
                {"Envoy": process, "OPA": opa},
            )
        )
        OwnEdge.upstream = upstream
        for title, ours, path in (
            ("Palisade", OwnEdge, PATH),
            ("Palisade, OPA logs as well", OwnEdgeWithTwoLogs, PATH),
            (f"Palisade, {MANY:,} operations", OwnEdgeWithManyOperations, PATH_WITH_PARAMETER),
        ):
            (directory / ours.__name__).mkdir()
            own = stack.enter_context(edge(directory / ours.__name__, access=PATIENT, kind=ours))
            found.append(_own(title, own, path))
        yield found


def _own(title: str, own: Edge, path: str) -> Variant:
    def answered() -> bool:
        return own.client().ask(path, headers=own.bearer("compliance_officer")).status == HTTPStatus.OK

    own.wait_until(answered, 60)
    address = f"https://127.0.0.1:{own.model.ports.apis}{path}"
    token = own.bearer("compliance_officer", exp=int(time.time()) + 3600)
    target = Target(address, own.directory / "keys/authority.crt", token)
    return Variant(title, target, {"Envoy": own.envoy.pid, "OPA": own.opa.pid})


def _template() -> Template:
    loader = FileSystemLoader(HERE)
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=False, trim_blocks=True).get_template(  # noqa: S701
        "envoy.yaml.j2"
    )


def _tutorial_opa(port: int, health: int) -> list[str]:
    settings = {
        "plugins.envoy_ext_authz_grpc.addr": f"127.0.0.1:{port}",
        "plugins.envoy_ext_authz_grpc.path": "envoy/authz/allow",
        "decision_logs.console": "true",
    }
    sets = [f"--set={name}={value}" for name, value in settings.items()]
    return [opa_program(), "run", "--server", f"--addr=127.0.0.1:{health}", *sets, str(HERE / "tutorial.rego")]


def _guest_token() -> str:
    now = int(time.time())
    parts = ({"alg": "HS256", "typ": "JWT"}, {"role": "guest", "sub": "YWxpY2U=", "nbf": now - 60, "exp": now + 3600})
    text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_encoded(hmac.new(b'secret', text.encode(), hashlib.sha256).digest())}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
