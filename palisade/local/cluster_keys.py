"""What each part of the local cluster proves itself with: one folder for each host, and two kubeconfigs.

The folders are what the role ``local_cluster`` puts on the hosts. The authorities' own keys stay in the fleet's state
directory; nothing here is ever part of an image, an inventory or the repository.
"""

from __future__ import annotations

import base64
import secrets
from ipaddress import IPv4Address
from pathlib import Path

import yaml

from palisade.errors import ConfigurationError
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.local.certificates import Authority, Pair, Subject, new_private_key, public_key
from palisade.local.processes import fill_folder, write_whole

API_PORT = 6443
LOOPBACK = IPv4Address("127.0.0.1")
OPERATORS = "palisade:operators"
"""The group of whoever holds the fleet's kubeconfig; the role binds it to cluster-admin."""
MASTERS = "system:masters"
"""The group that no rule limits; only for the role, which makes the rules."""
SECRETBOX_KEY_BYTES = 32


def make_cluster_keys(state: Path, fleet: Fleet) -> None:
    """Make what is missing or ends soon; what is there and still right stays as it is.

    Args:
        state: The fleet's state directory; ``cluster/`` and ``kubeconfig`` are written there.
        fleet: Its hosts; one of the group control.

    Raises:
        ConfigurationError: the fleet has no control host, or no network for services.
    """
    control = next(iter(fleet.in_group(HostGroup.CONTROL)), None)
    if control is None or fleet.networks.services is None:
        raise ConfigurationError(
            f"The fleet {fleet.environment} has no cluster to make keys for.",
            where=f"Pulumi.{fleet.environment}.yaml: fleet",
            allowed="a host of the group control, networks.pods and networks.services",
        )
    _ClusterKeys(state / "cluster", fleet, control, fleet.networks.services[1]).write(state / "kubeconfig")


class _ClusterKeys:
    def __init__(self, directory: Path, fleet: Fleet, control: FleetHost, first_service: IPv4Address) -> None:
        self._directory = directory
        self._fleet = fleet
        self._control = control
        self._first_service = first_service
        directory.mkdir(exist_ok=True, mode=0o700)
        authorities = directory / "authorities"
        self._kubernetes = Authority(authorities / "kubernetes", f"palisade {fleet.environment} kubernetes")
        self._front_proxy = Authority(authorities / "front-proxy", f"palisade {fleet.environment} front proxy")
        self._etcd = Authority(authorities / "etcd", f"palisade {fleet.environment} etcd")
        self._registry = Authority(authorities / "registry", f"palisade {fleet.environment} registry")

    def write(self, kubeconfig: Path) -> None:
        fill_folder(self._directory / "hosts" / self._control.name, self._of_control())
        for node in self._fleet.in_group(HostGroup.REGISTRY):
            fill_folder(self._directory / "hosts" / node.name, self._of_node(node.name, node.address))
        operator = self._registry.issue("operator", Subject("operator"))
        # The names that podman, skopeo and docker look for in a --cert-dir.
        names = {"ca.crt": self._registry.certificate, "client.cert": operator.certificate, "client.key": operator.key}
        fill_folder(self._directory / "operator/registry", names)
        bootstrap = self._kubeconfig("bootstrap", Subject("palisade:bootstrap", (MASTERS,)))
        fill_folder(self._directory / "operator", {"bootstrap.kubeconfig": bootstrap})
        write_whole(kubeconfig, self._kubeconfig("operator", Subject("palisade:operator", (OPERATORS,))))

    def _of_control(self) -> dict[str, str]:
        name, address = self._control.name, self._control.address
        own_names = ("localhost", name)
        in_cluster = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
        api = Subject(
            "kube-apiserver",
            names=(*own_names, *in_cluster, f"{in_cluster[-1]}.cluster.local"),
            addresses=(LOOPBACK, address, self._first_service),
        )
        service_accounts = self._kept("service-accounts.key", new_private_key())
        return {
            "kubernetes-ca.crt": self._kubernetes.certificate,
            "front-proxy-ca.crt": self._front_proxy.certificate,
            "etcd-ca.crt": self._etcd.certificate,
            "registry-ca.crt": self._registry.certificate,
            **_files("apiserver", self._kubernetes.issue("apiserver", api)),
            **_files("apiserver-kubelet", self._kubernetes.issue("apiserver-kubelet", Subject("palisade:apiserver"))),
            **_files("apiserver-etcd", self._etcd.issue("apiserver", Subject("kube-apiserver"))),
            **_files("front-proxy", self._front_proxy.issue("apiserver", Subject("front-proxy"))),
            **_files("etcd", self._etcd.issue("etcd", Subject("etcd", names=own_names, addresses=(LOOPBACK, address)))),
            **_files(
                "registry",
                self._registry.issue("registry", Subject("registry", names=own_names, addresses=(LOOPBACK, address))),
            ),
            **_files("registry-client", self._registry.issue(name, Subject(name))),
            "service-accounts.key": service_accounts,
            "service-accounts.pub": public_key(service_accounts),
            "encryption.yaml": self._kept("encryption.yaml", _encryption_of_secrets()),
            "controller-manager.kubeconfig": self._kubeconfig(
                "controller-manager", Subject("system:kube-controller-manager"), LOOPBACK
            ),
            "scheduler.kubeconfig": self._kubeconfig("scheduler", Subject("system:kube-scheduler"), LOOPBACK),
        }

    def _of_node(self, name: str, address: IPv4Address) -> dict[str, str]:
        server = Subject(f"system:node:{name}", ("system:nodes",), names=(name,), addresses=(address,))
        return {
            "kubernetes-ca.crt": self._kubernetes.certificate,
            "registry-ca.crt": self._registry.certificate,
            **_files("kubelet", self._kubernetes.issue(f"{name}-server", server)),
            **_files("registry-client", self._registry.issue(name, Subject(name))),
            "kubelet.kubeconfig": self._kubeconfig(name, Subject(f"system:node:{name}", ("system:nodes",))),
            "kube-proxy.kubeconfig": self._kubeconfig(f"{name}-proxy", Subject("system:kube-proxy")),
            "kube-router.kubeconfig": self._kubeconfig(f"{name}-router", Subject("palisade:kube-router")),
        }

    def _kubeconfig(self, file: str, subject: Subject, address: IPv4Address | None = None) -> str:
        pair = self._kubernetes.issue(file, subject)
        context = f"palisade-{self._fleet.environment}"
        cluster = {
            "server": f"https://{address or self._control.address}:{API_PORT}",
            "certificate-authority-data": _base64(self._kubernetes.certificate),
        }
        user = {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": subject.name, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": subject.name}}],
            "current-context": context,
        }
        return str(yaml.safe_dump(document))

    def _kept(self, name: str, new: str) -> str:
        path = self._directory / "authorities" / name
        if not path.exists():
            write_whole(path, new)
        return path.read_text(encoding="utf-8")


def _encryption_of_secrets() -> str:
    key = base64.b64encode(secrets.token_bytes(SECRETBOX_KEY_BYTES)).decode()
    providers = [{"secretbox": {"keys": [{"name": "fleet", "secret": key}]}}, {"identity": {}}]
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": providers}],
    }
    return str(yaml.safe_dump(document))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _files(name: str, pair: Pair) -> dict[str, str]:
    return {f"{name}.crt": pair.certificate, f"{name}.key": pair.key}
