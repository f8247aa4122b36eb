"""A checkout of its own with the stack ``local`` on a real API server, and a relay that can cut pulumi off from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.control_plane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Pulumi*.yaml", "inventories", "policies", "stacks", "templates", "tools")
"""What a stack needs of a checkout; the package ``palisade`` is the one that is installed."""
ENVIRONMENT = "local"
CONTEXT = f"palisade-{ENVIRONMENT}"
SELECTOR = "app.kubernetes.io%2Fpart-of%3Dpalisade"
PATHS = (
    "/api/v1/configmaps",
    "/api/v1/limitranges",
    "/api/v1/namespaces",
    "/api/v1/resourcequotas",
    "/api/v1/serviceaccounts",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/networking.k8s.io/v1/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
)
"""Where the API server lists the kinds that the local stack declares."""


def copy_checkout(target: Path) -> Path:
    """The files of this checkout that git knows or would add, elsewhere: what is there is not changed by a test."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *COPIED]
    for name in subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    return target


def ask_for_no_certificate(file: Path) -> None:
    """Take the names of the edge out of an environment's file: where there is no Vault, nobody would sign them."""
    text = file.read_text(encoding="utf-8")
    without, found = re.subn(r"^    edge:.*\n(?:      .*\n)*", "", text, flags=re.MULTILINE)
    assert found <= 1
    file.write_text(without, encoding="utf-8")


class Relay:
    """Stands between pulumi and the API server, and can keep the server's answers to itself.

    Requests still arrive and are carried out, but whoever sent them never hears of it: as if a machine died right then.
    """

    def __init__(self, server: str) -> None:
        upstream = (str(urlsplit(server).hostname), int(urlsplit(server).port or 0))
        self._answers = threading.Event()
        self._answers.set()
        answers = self._answers

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(upstream) as api:
                    asking = threading.Thread(target=_pump, args=(self.request, api, None), daemon=True)
                    asking.start()
                    _pump(api, self.request, answers)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._server.daemon_threads = True
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold_answers(self) -> None:
        self._answers.clear()

    def let_answers_through(self) -> None:
        self._answers.set()

    def close(self) -> None:
        self._answers.set()
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, target: socket.socket, allowed: threading.Event | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if allowed is not None:
                allowed.wait()
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class StackProject:
    """A checkout, a home for its state, and the API server that its stack ``local`` builds on."""

    root: Path
    variables: Mapping[str, str]
    plane: ControlPlane
    relay: Relay

    def run(self, *command: str, seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout as a user would."""
        return subprocess.run(
            command, cwd=self.root, env=self.variables, capture_output=True, text=True, timeout=seconds, check=False
        )

    def shell(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Run lines in a shell that has taken what ``palisade environment`` prints."""
        script = "\n".join([f'eval "$(palisade environment {ENVIRONMENT} 2>/dev/null)"', *lines])
        return self.run("bash", "-euo", "pipefail", "-c", script)

    def json(self, *command: str) -> Any:
        """The JSON answer of a command that succeeds."""
        completed = self.run(*command, "--output", "json")
        assert completed.returncode == 0, completed.stderr[-3000:]
        return json.loads(completed.stdout)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints, straight from the API server and past the relay."""
        completed = self.run("kubectl", "--kubeconfig", str(self.plane.kubeconfig), *arguments)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    def in_cluster(self) -> set[tuple[str, str]]:
        """Kind and identity (``[namespace/]name``) of every object of Palisade that the API server has."""
        lists = [self.plane.get(f"{path}?labelSelector={SELECTOR}") for path in PATHS]
        return {(one["kind"].removesuffix("List"), _identity(item)) for one in lists for item in one["items"]}

    def in_state(self) -> set[tuple[str, str]]:
        """The same for what the state says pulumi has made, read as a file: also while pulumi works."""
        file = Path(self.variables["XDG_STATE_HOME"], "palisade/state/.pulumi/stacks/palisade", f"{ENVIRONMENT}.json")
        resources = json.loads(file.read_text())["checkpoint"]["latest"].get("resources", ())
        ours = (one for one in resources if one["type"].startswith("kubernetes:") and not one.get("external"))
        return {(one["type"].rpartition(":")[2], str(one.get("id"))) for one in ours}

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command that goes on; its output is thrown away."""
        return subprocess.Popen(
            command, cwd=self.root, env=self.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )


@contextmanager
def stack_project(place: Path, plane: ControlPlane) -> Iterator[StackProject]:
    """A checkout whose local stack builds on a control plane; as if ``palisade local up`` had made it."""
    relay = Relay(plane.server)
    state = place / "state"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "PALISADE_"))},
        "XDG_STATE_HOME": str(state),
        "PULUMI_HOME": str(place / "pulumi"),
    }
    kubeconfig = state / "palisade" / "fleets" / ENVIRONMENT / "kubeconfig"
    kubeconfig.parent.mkdir(parents=True)
    kubeconfig.write_text(_through(relay.url, plane.kubeconfig))
    project = StackProject(copy_checkout(place / "checkout"), variables, plane, relay)
    ask_for_no_certificate(project.root / f"Pulumi.{ENVIRONMENT}.yaml")
    _add_nodes(project)
    try:
        yield project
    finally:
        relay.close()


def _identity(item: Mapping[str, Any]) -> str:
    metadata = item["metadata"]
    return "/".join(metadata[key] for key in ("namespace", "name") if key in metadata)


def _through(url: str, kubeconfig: Path) -> str:
    document = yaml.safe_load(kubeconfig.read_text())
    document["clusters"][0]["cluster"]["server"] = url
    document["contexts"][0]["name"] = document["current-context"] = CONTEXT
    return yaml.safe_dump(document)


def _add_nodes(project: StackProject) -> None:
    """The nodes that the configuration lists, as their kubelets would have registered them."""
    role = "palisade.dev/role"
    size = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    for number, zone in enumerate(("local-a", "local-b"), start=1):
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"registry-{number}",
                "labels": {role: "registry", "topology.kubernetes.io/zone": zone},
            },
            "spec": {"taints": [{"key": role, "value": "registry", "effect": "NoSchedule"}]},
        }
        manifest = project.root.parent / f"node-{number}.json"
        manifest.write_text(json.dumps(node))
        project.kubectl("create", "--filename", str(manifest))
        status = json.dumps({"status": {"capacity": size, "allocatable": size}})
        project.kubectl("patch", "node", f"registry-{number}", "--subresource=status", "--patch", status)
