"""Starts the control plane: keys for this one only, free ports, ready when the API server says so."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from palisade.console import Steps
from palisade.local.certificates import Authority, Pair, Subject, new_private_key, public_key
from palisade.project import Project
from palisade.tools import ensure, step_titles
from tests.control_plane.processes import Daemon, free_ports

LOOPBACK = IPv4Address("127.0.0.1")
SERVICES = "10.96.0.0/16"
CONTEXT = "control-plane"
MASTERS = "system:masters"
"""The group that no rule limits."""
_READY_SECONDS = 60.0
_PROJECT = Project(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane."""

    directory: Path
    """Keys, data and logs (``<program>.log``); removed at the end."""
    server: str
    """The URL of the API server."""
    kubeconfig: Path
    """For the administrator; everything in one file, its context is :data:`CONTEXT`."""
    authority: Authority
    """Who signs the certificates of servers and users."""

    def kubeconfig_of(self, user: str, *, groups: Sequence[str] = ()) -> Path:
        """The kubeconfig of another user, who may do what the cluster's rules say."""
        pair = self.authority.issue(f"user-{user}", Subject(user, tuple(groups)))
        path = self.directory / f"{user}.kubeconfig"
        path.write_text(_kubeconfig(self.server, self.authority.certificate, pair), encoding="utf-8")
        return path

    def get(self, path: str) -> Any:
        """What the API server answers the administrator to ``GET path``, from JSON.

        Raises:
            urllib.error.URLError: it refuses, or nobody answers.
        """
        return json.loads(self._answer(path))

    def is_served(self, path: str) -> bool:
        """Whether ``GET path`` succeeds now."""
        try:
            self._answer(path)
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def _answer(self, path: str) -> bytes:
        context = ssl.create_default_context(cadata=self.authority.certificate)
        context.load_cert_chain(self.directory / "keys/admin.crt", self.directory / "keys/admin.key")
        with urllib.request.urlopen(f"{self.server}{path}", context=context, timeout=10) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content


@contextmanager
def control_plane(*, controllers: bool = False, arguments: Sequence[str] = ()) -> Iterator[ControlPlane]:
    """Run etcd and kube-apiserver on free ports of loopback, in a temporary directory.

    Programs on PATH are used if their version is accepted, else those that ``palisade tools`` builds. Takes 3 to 5 s.
    Without nodes no pod ever starts. Without controllers also nothing else happens by itself: no ReplicaSets, no
    default service accounts (their admission is off, or no pod could be made), and a deleted namespace stays
    ``Terminating``.

    Args:
        controllers: Also run kube-controller-manager and kube-scheduler.
        arguments: More arguments of kube-apiserver; they win over the ones given here.

    Yields:
        The control plane; the API server is ready and its first namespaces are there.

    Raises:
        AssertionError: a program ends or is not ready in time; the message has the end of its log.
        PalisadeError: a program cannot be had.
    """
    names = ["etcd", "kube-apiserver"]
    names += ["kube-controller-manager", "kube-scheduler"] if controllers else []
    programs = ensure(_PROJECT, names, Steps(step_titles(_PROJECT, names)))
    with tempfile.TemporaryDirectory(prefix="palisade-control-plane-") as place, ExitStack() as stack:
        directory = Path(place)
        api_port, etcd_port, peer_port = free_ports(3)
        plane = _prepare(directory, f"https://{LOOPBACK}:{api_port}")

        def start(name: str, *own: str) -> Daemon:
            daemon = Daemon(name, [str(programs[name]), *own], directory)
            stack.callback(daemon.stop)
            return daemon

        start("etcd", *_etcd_arguments(etcd_port, peer_port))
        api = start("kube-apiserver", *_api_arguments(api_port, etcd_port, controllers=controllers), *arguments)
        api.wait_until(
            lambda: plane.is_served("/readyz") and plane.is_served("/api/v1/namespaces/default"), _READY_SECONDS
        )
        if controllers:
            manager = start("kube-controller-manager", *_manager_arguments(directory))
            start("kube-scheduler", *_scheduler_arguments(directory))
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            manager.wait_until(lambda: plane.is_served(account), _READY_SECONDS)
        yield plane


def _prepare(directory: Path, server: str) -> ControlPlane:
    keys = directory / "keys"
    authority = Authority(keys, "control plane of a test")
    in_cluster = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
    authority.issue("apiserver", Subject("kube-apiserver", names=("localhost", *in_cluster), addresses=(LOOPBACK,)))
    private = new_private_key()
    (keys / "service-accounts.key").write_text(private, encoding="ascii")
    (keys / "service-accounts.pub").write_text(public_key(private), encoding="ascii")
    for name, subject in {
        "admin": Subject("admin", (MASTERS,)),
        "controller-manager": Subject("system:kube-controller-manager"),
        "scheduler": Subject("system:kube-scheduler"),
    }.items():
        text = _kubeconfig(server, authority.certificate, authority.issue(name, subject))
        (directory / f"{name}.kubeconfig").write_text(text, encoding="utf-8")
    return ControlPlane(directory, server, directory / "admin.kubeconfig", authority)


def _etcd_arguments(port: int, peer_port: int) -> list[str]:
    client, peer = f"http://{LOOPBACK}:{port}", f"http://{LOOPBACK}:{peer_port}"
    return [
        "--data-dir=etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the data need not survive the test
    ]


def _api_arguments(port: int, etcd_port: int, *, controllers: bool) -> list[str]:
    return [
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        "--endpoint-reconciler-type=none",  # nobody reaches loopback through a service
        f"--service-cluster-ip-range={SERVICES}",
        "--tls-cert-file=keys/apiserver.crt",
        "--tls-private-key-file=keys/apiserver.key",
        "--client-ca-file=keys/authority.crt",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=keys/service-accounts.pub",
        "--service-account-signing-key-file=keys/service-accounts.key",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--disable-admission-plugins={'' if controllers else 'ServiceAccount'}",
    ]


def _manager_arguments(directory: Path) -> list[str]:
    kubeconfig = directory / "controller-manager.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials=true",
        "--root-ca-file=keys/authority.crt",
        "--service-account-private-key-file=keys/service-accounts.key",
        "--kube-api-qps=300",  # with the default, the first service accounts come seconds late
        "--kube-api-burst=600",
        # Simulated kubelets share the processors with everything else here: a late sign of life is no dead node.
        "--node-monitor-grace-period=10m",
    ]


def _scheduler_arguments(directory: Path) -> list[str]:
    return [f"--kubeconfig={directory / 'scheduler.kubeconfig'}", "--leader-elect=false", "--secure-port=0"]


def _kubeconfig(server: str, authority: str, pair: Pair) -> str:
    def encoded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    cluster = {"server": server, "certificate-authority-data": encoded(authority)}
    user = {"client-certificate-data": encoded(pair.certificate), "client-key-data": encoded(pair.key)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": "user"}}],
        "current-context": CONTEXT,
    }
    return str(yaml.safe_dump(document))
