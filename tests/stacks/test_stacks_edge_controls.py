"""The controls of Envoy and OPA hold for what the stack declares for each environment, and notice what breaks them.

Nothing runs here: what the running programs would say is what their files say. What breaks a control is its own
command, with a kubectl that has the declared objects.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from stacks_program import PROJECT_ROOT, of_kind
from test_stacks_registry_arguments import ENVIRONMENTS, declared, register_example, write_state

from palisade.bundle.archive import Bundle
from palisade.bundle.build import KEY_FILE, bundle_file
from palisade.controls import Control, Scope, load_controls
from palisade.verification import edge, port_forward
from palisade.verification.check import Recorder
from palisade.verification.readings import ReadingFailedError
from tests.check_modules import checks_of

KEY = rsa.generate_private_key(public_exponent=65537, key_size=3072)
BY_FILE = {
    control.id: control
    for control in load_controls(PROJECT_ROOT).controls
    if control.id.startswith(("edge-", "opa-")) and control.applies_to == (Scope.CLUSTER,)
}
"""Those of which a file says something; the certificate and the decision are tried on a running fleet."""
KUBECTL = """#!{python}
import json, pathlib, sys
objects = pathlib.Path({objects!r})
if sys.argv[1] == "get":
    print((objects / sys.argv[2] / sys.argv[3]).read_text())
else:
    document = json.load(sys.stdin)
    (objects / document["kind"].lower() / document["metadata"]["name"]).write_text(json.dumps(document))
"""


class OwnKey:
    """Signs bundles."""

    def sign(self, content: bytes) -> bytes:
        return KEY.sign(content, PKCS1v15(), SHA256())

    def public_key(self) -> str:
        return KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class DeclaredCluster:
    """The objects that the stack declares, as files that a command can change, and one registry pod made from them."""

    person = None

    def __init__(self, environment: str, directory: Path) -> None:
        archive = Bundle({"api.rego": b"package api.compliance\n"}, {"registry": {}}, environment).archive(OwnKey())
        bundle_file(environment).write_bytes(archive)
        bundle_file(environment).with_name(KEY_FILE).write_text(OwnKey().public_key(), encoding="ascii")
        register_example(environment)
        self.directory = directory / "objects"
        found = declared(environment)
        for kind in ("ConfigMap", "Deployment"):
            for name, one in of_kind(found, kind).items():
                path = self.directory / kind.lower() / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(dict(one.inputs)), encoding="utf-8")
        program = directory / "kubectl"
        program.write_text(KUBECTL.format(python=sys.executable, objects=str(self.directory)), encoding="utf-8")
        program.chmod(0o755)
        # What runs was started with the files as they were declared.
        self.envoy = {name: yaml.safe_load(text) for name, text in self.object("ConfigMap", "envoy")["data"].items()}
        self.bundle = archive

    def objects(self, kind: str, _version: str = "v1", *, namespace: str | None = None) -> list[dict[str, Any]]:
        del namespace
        if kind == "Pod":
            labels = {"app.kubernetes.io/name": "registry"}
            return [
                {"metadata": {"name": "a-pod", "labels": labels}, "spec": {}, "status": {"phase": "Running"}},
            ]
        return [json.loads(path.read_text()) for path in sorted((self.directory / kind.lower()).iterdir())]

    def object(self, kind: str, name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.directory / kind.lower() / name).read_text())
        return document

    def once(self, _key: str, read: Callable[[], Any]) -> Any:
        return read()

    def answer(self, _cluster: Any, _namespace: str, _pod: str, port: int, path: str) -> port_forward.Answer:
        """What would be answered inside the pod."""
        routes = self.envoy["routes.yaml"]["resources"]
        kind = "type.googleapis.com/envoy.admin.v3."
        dump = {
            "configs": [
                {"@type": f"{kind}BootstrapConfigDump", "bootstrap": self.envoy["envoy.yaml"]},
                {"@type": f"{kind}ScopedRoutesConfigDump"},
                {
                    "@type": f"{kind}RoutesConfigDump",
                    "dynamic_route_configs": [{"route_config": one} for one in routes],
                },
            ]
        }
        if (port, path) == (9901, "/config_dump"):
            return port_forward.Answer(200, json.dumps(dump).encode())
        if port == 8283:
            return port_forward.Answer(200, self.bundle)
        return port_forward.Answer(200 if path.startswith("/health") else 401, b"{}")

    def shell(self, command: str) -> None:
        path = f"{self.directory.parent}:/usr/bin:/bin"
        subprocess.run(["/bin/sh", "-ec", command], env={"PATH": path}, check=True, capture_output=True)


def no_addresses(_cluster: object) -> tuple[str, ...]:
    return ()


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeclaredCluster:
    write_state(tmp_path, monkeypatch)
    found = DeclaredCluster(getattr(request, "param", "prod"), tmp_path)
    monkeypatch.setattr(port_forward, "get", found.answer)
    monkeypatch.setattr(edge, "addresses", no_addresses)
    monkeypatch.setattr(edge, "log", lambda _cluster, _container: "")
    return found


def check(control: Control, cluster: DeclaredCluster) -> Recorder:
    recorder = Recorder()
    getattr(checks_of(control), control.verified_by.partition("::")[2])(control, recorder, cluster)
    return recorder


@pytest.mark.parametrize("cluster", ENVIRONMENTS, indirect=True)
def test_every_control_holds_for_what_is_declared(cluster: DeclaredCluster) -> None:
    for control in BY_FILE.values():
        assert not check(control, cluster).is_empty


@pytest.mark.parametrize("cluster", ["local"], indirect=True)
def test_a_log_of_opa_that_is_not_masked_is_noticed(cluster: DeclaredCluster) -> None:
    """Only ``local`` has one; the command that proves the control changes Envoy's record, which all have."""
    cluster.shell(
        "kubectl get configmap opa --namespace palisade-registry --output json |"
        "sed 's/mask_decision: system.log.mask/mask_decision: system\\/log\\/nothing/' | kubectl replace --filename -"
    )
    with pytest.raises(AssertionError, match="mask_decision"):
        check(BY_FILE["opa-decisions-logged"], cluster)


@pytest.mark.parametrize("control", BY_FILE)
def test_the_change_that_proves_a_control_is_noticed(cluster: DeclaredCluster, control: str) -> None:
    cluster.shell(BY_FILE[control].proven_by)
    with pytest.raises(AssertionError):
        check(BY_FILE[control], cluster)


def test_what_runs_is_looked_at_too(cluster: DeclaredCluster) -> None:
    """A file that was put right and not read again: only the running Envoy tells."""
    for listener in cluster.envoy["envoy.yaml"]["static_resources"]["listeners"]:
        if listener["name"] == "apis":
            manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
            policy = next(one for one in manager["http_filters"] if one["name"] == "envoy.filters.http.ext_authz")
            policy["typed_config"]["failure_mode_allow"] = True
    with pytest.raises(AssertionError, match=r"apis\.open_without_decision is True in a-pod"):
        check(BY_FILE["edge-closed-without-decision"], cluster)


def test_another_bundle_than_the_declared_one_is_noticed(cluster: DeclaredCluster) -> None:
    cluster.bundle = Bundle({"api.rego": b"package api.other\n"}, {}, "prod").archive(OwnKey())
    with pytest.raises(AssertionError, match="OPA of a-pod is given another bundle than is declared"):
        check(BY_FILE["opa-bundle-signed"], cluster)


def test_an_edge_without_an_address_cannot_pass(cluster: DeclaredCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    cluster.objects = lambda *_arguments, **_named: []  # type: ignore[method-assign]
    with pytest.raises(ReadingFailedError, match="there is no Service palisade-registry/registry"):
        edge.addresses(cluster)  # type: ignore[arg-type]
