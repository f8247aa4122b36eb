"""A cluster with what the stack declares for certificates, cert-manager's programs with their real rights, and a Vault.

The programs run as processes on loopback with tokens of their own service accounts, so that a right that is missing is
noticed; the addresses of Vault and of the webhook are the only things that differ from what is rendered.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from signing import sign_for_pods

from palisade.console import Steps
from palisade.project import Project
from palisade.rendering.graph import run_program
from palisade.rendering.manifests import manifests
from palisade.tools import ensure, step_titles
from tests.control_plane import ControlPlane, control_plane
from tests.control_plane.processes import Daemon, free_ports
from tests.openbao_server import IN_MEMORY, OpenBao, openbao_server
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
KUBECTL = str(Path(sys.executable).parent / "kubectl")
SYSTEM = "palisade-system"
REGISTRY = "palisade-registry"
ISSUES = f"/apis/cert-manager.io/v1/namespaces/{REGISTRY}"
_FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role")
_KINDS = (
    *_FIRST,
    "ClusterRoleBinding",
    "RoleBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_LAST = ("ClusterIssuer", "Certificate")


@dataclass(frozen=True)
class Certificates:
    """The cluster, its Vault and what an administrator does with them."""

    plane: ControlPlane
    vault: OpenBao
    declared: Mapping[str, Mapping[str, Any]]
    """What the stack declares, by kind and name."""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [KUBECTL, f"--kubeconfig={self.plane.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def shell(self, script: str) -> None:
        """Run lines of a shell in which kubectl reaches this cluster, as the proof of a control does."""
        variables = {**os.environ, "KUBECONFIG": str(self.plane.kubeconfig)}
        done = subprocess.run(
            ["bash", "-euc", script], env=variables, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    def apply(self, *objects: Mapping[str, Any]) -> str:
        """Apply objects; what the cluster says if it refuses one, else nothing."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=text)
        return done.stderr if done.returncode else ""

    def may(self, account: str, **attributes: str) -> bool:
        """Whether a service account of the platform may do something, by the API server's own answer."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": f"system:serviceaccount:{SYSTEM}:{account}", "resourceAttributes": attributes},
        }
        done = self.kubectl("create", "--filename=-", "--output=json", stdin=json.dumps(review))
        assert done.returncode == 0, done.stderr
        return bool(json.loads(done.stdout)["status"]["allowed"])

    def get(self, path: str) -> Any:
        """The object at a path; None if there is none."""
        try:
            return self.plane.get(path)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise

    def condition(self, path: str, name: str = "Ready") -> dict[str, Any]:
        """A condition of the object at a path; empty while there is none."""
        found = (self.get(path) or {}).get("status", {}).get("conditions", [])
        return next((one for one in found if one["type"] == name), {})

    def is_ready(self, path: str) -> bool:
        return self.condition(path).get("status") == "True"

    def certificate(self, name: str, **spec: Any) -> dict[str, Any]:
        """The certificate of the edge as the stack declares it, under another name and with other parts."""
        edge = self.declared["Certificate/edge"]
        metadata = {"name": name, "namespace": REGISTRY}
        return {**edge, "metadata": metadata, "spec": {**edge["spec"], "secretName": name, **spec}}

    def pair(self, name: str) -> dict[str, bytes]:
        """What a Secret of the edge's namespace holds."""
        secret = self.get(f"/api/v1/namespaces/{REGISTRY}/secrets/{name}")
        return {key: base64.b64decode(value) for key, value in ((secret or {}).get("data") or {}).items()}

    def token(self, account: str, *, audience: str | None = None) -> str:
        arguments = ["create", "token", account, f"--namespace={SYSTEM}", "--duration=2h"]
        done = self.kubectl(*arguments, *([f"--audience={audience}"] if audience else []))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def declared_objects(vault: OpenBao, place: Path) -> list[dict[str, Any]]:
    """What the stack of the local fleet declares about certificates, with the Vault of the test."""
    fleet: Any = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8"))["config"]["palisade:fleet"]
    state = place / "palisade/fleets/local"
    for path, text in {
        "vault/ca.crt": vault.authority.read_text(encoding="utf-8"),
        **{
            f"images/{name}/index.json": json.dumps({"manifests": [{"digest": f"sha256:{'0' * 64}"}]})
            for name in ("cert-manager", "upstream")
        },
    }.items():
        (state / path).parent.mkdir(parents=True)
        (state / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(place))
        found = manifests(run_program(ROOT, "local", fleet))
    objects: list[dict[str, Any]] = json.loads(json.dumps(found))
    for each in objects:
        if each["kind"] == "ClusterIssuer":
            each["spec"]["vault"]["server"] = vault.address
    return objects


def _at(port: int, objects: list[dict[str, Any]]) -> None:
    """The webhook is a process here, not a service."""
    for each in objects:
        for webhook in each.get("webhooks", ()):
            path = webhook["clientConfig"].pop("service")["path"]
            webhook["clientConfig"]["url"] = f"https://localhost:{port}{path}"


def _of(kinds: tuple[str, ...], objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] in kinds]


def _kubeconfig(cluster: Certificates, account: str) -> Path:
    """The kubeconfig of a service account."""
    document = yaml.safe_load(cluster.plane.kubeconfig.read_text(encoding="utf-8"))
    document["users"][0]["user"] = {"token": cluster.token(account)}
    path = cluster.plane.directory / f"{account}.kubeconfig"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http to loopback
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificates]:
    project = Project(ROOT)
    program = ensure(project, ["cert-manager"], Steps(step_titles(project, ["cert-manager"])))["cert-manager"]
    with ExitStack() as stack:
        vault = stack.enter_context(openbao_server(tmp_path_factory.mktemp("vault"), IN_MEMORY))
        plane = stack.enter_context(control_plane())
        objects = declared_objects(vault, tmp_path_factory.mktemp("state"))
        port, *health = free_ports(4)
        _at(port, objects)
        cluster = Certificates(plane, vault, {f"{each['kind']}/{each['metadata']['name']}": each for each in objects})
        assert cluster.apply(*_of(_FIRST, objects)) == ""
        assert cluster.apply(*[each for each in _of(_KINDS, objects) if each["kind"] not in _FIRST]) == ""
        cluster.kubectl("create", "serviceaccount", "reviewer", f"--namespace={SYSTEM}")
        binding = ("clusterrolebinding", "reviewer", "--clusterrole=system:auth-delegator")
        cluster.kubectl("create", *binding, f"--serviceaccount={SYSTEM}:reviewer")
        sign_for_pods(
            vault,
            api_server=plane.server,
            api_authority=plane.authority.certificate,
            reviewer=cluster.token("reviewer"),
            domain="palisade.internal",
            identities="spiffe://palisade.local/ns/palisade-registry/sa/*",
        )
        programs = {
            "cert-manager": ("controller", "--retry-after=1s", "--retry-at-most=2s"),
            "cert-manager-webhook": ("webhook", f"--port={port}", "--names=localhost"),
            "cert-manager-cainjector": ("cainjector",),
        }
        daemons = {}
        for (name, (command, *arguments)), probe in zip(programs.items(), health, strict=True):
            own = (f"--namespace={SYSTEM}", f"--health-port={probe}", f"--kubeconfig={_kubeconfig(cluster, name)}")
            daemons[name] = Daemon(name, [str(program), command, *own, *arguments], plane.directory)
            stack.callback(daemons[name].stop)
        ready = dict(zip(programs, ("livez", "healthz", "readyz"), strict=True))
        for (name, daemon), probe in zip(daemons.items(), health, strict=True):
            url = f"http://127.0.0.1:{probe}/{ready[name]}"
            daemon.wait_until(lambda url=url: _answers(url), 60.0)  # type: ignore[misc]
        wait_until(lambda: not cluster.apply(*_of(_LAST, objects)), "the issuer is refused", 20)
        try:
            yield cluster
        finally:
            if os.environ.get("PALISADE_KEEP_LOGS"):
                for daemon in daemons.values():
                    sys.stderr.write(f"\n== {daemon.name}\n{daemon.log.read_text()[-8000:]}")
