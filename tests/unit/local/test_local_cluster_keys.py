"""Keys of the local cluster: who may do what with them, what is kept, and what is made anew."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from local_samples import FLEET

from palisade.errors import ConfigurationError
from palisade.fleet import FleetHost, HostGroup
from palisade.local.certificates import CERTIFICATE_LIFETIME, RENEWED_BEFORE_END, Authority, Subject
from palisade.local.cluster_keys import make_cluster_keys

CONTROL = FleetHost(name="control-1", group=HostGroup.CONTROL, address=IPv4Address("10.79.0.11"))
CLUSTER = FLEET.model_copy(
    update={
        "hosts": (*FLEET.hosts, CONTROL),
        "networks": FLEET.networks.model_copy(
            update={"pods": IPv4Network("10.244.0.0/16"), "services": IPv4Network("10.96.0.0/16")}
        ),
    }
)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def user_of(kubeconfig: Path) -> x509.Certificate:
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    return x509.load_pem_x509_certificate(base64.b64decode(document["users"][0]["user"]["client-certificate-data"]))


def groups(found: x509.Certificate) -> list[str | bytes]:
    return [attribute.value for attribute in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_second_call_changes_nothing(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    first = content(tmp_path)
    make_cluster_keys(tmp_path, CLUSTER)
    assert content(tmp_path) == first


def test_nobody_else_reads_a_key(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.rglob("*") if path.is_file()} == {0}
    assert (tmp_path / "cluster").stat().st_mode & 0o077 == 0


def test_authority_keys_stay_on_this_machine(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    keys = {path.read_bytes() for path in tmp_path.glob("cluster/authorities/*/authority.key")}
    assert len(keys) == 4
    assert not keys & {path.read_bytes() for path in tmp_path.glob("cluster/hosts/*/*")}


def test_a_node_is_itself_and_nobody_else(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    folder = tmp_path / "cluster/hosts/registry-1"
    node = user_of(folder / "kubelet.kubeconfig")
    assert node.subject.rfc4514_string() == "CN=system:node:registry-1,O=system:nodes"
    server = certificate(folder / "kubelet.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert server.get_values_for_type(x509.IPAddress) == [IPv4Address("10.79.0.21")]
    held = {str(groups(user_of(path))) for path in folder.glob("*.kubeconfig")}
    assert held == {"['system:nodes']", "[]"}


def test_the_kubeconfig_of_the_user_is_bound_by_rules(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    kubeconfig = tmp_path / "kubeconfig"
    assert groups(user_of(kubeconfig)) == ["palisade:operators"]
    document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    assert document["current-context"] == "palisade-test"
    assert document["clusters"][0]["cluster"]["server"] == "https://10.79.0.11:6443"


def test_the_api_server_is_found_by_every_name(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    found = certificate(tmp_path / "cluster/hosts/control-1/apiserver.crt")
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = [IPv4Address("127.0.0.1"), IPv4Address("10.79.0.11"), IPv4Address("10.96.0.1")]
    assert names.get_values_for_type(x509.IPAddress) == wanted
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)


def test_authorities_do_not_vouch_for_each_other(tmp_path: Path) -> None:
    make_cluster_keys(tmp_path, CLUSTER)
    folder = tmp_path / "cluster/hosts/control-1"
    kubernetes = certificate(folder / "kubernetes-ca.crt")
    certificate(folder / "apiserver.crt").verify_directly_issued_by(kubernetes)
    for other in ("etcd", "front-proxy", "registry", "registry-client"):
        with pytest.raises(ValueError, match="does not match certificate issuer"):
            certificate(folder / f"{other}.crt").verify_directly_issued_by(kubernetes)


def test_a_client_cannot_stand_in_for_a_server(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    pair = authority.issue("client", Subject("client"))
    usage = pair.parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_certificate_is_renewed_in_time(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    first = Authority(tmp_path, "test", now=start).issue("server", Subject("server"))
    early = start + CERTIFICATE_LIFETIME - RENEWED_BEFORE_END - timedelta(seconds=1)
    assert Authority(tmp_path, "test", now=early).issue("server", Subject("server")) == first
    late = early + timedelta(seconds=2)
    assert Authority(tmp_path, "test", now=late).issue("server", Subject("server")) != first


def test_a_certificate_for_another_address_is_made_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "test")
    first = authority.issue("server", Subject("server", addresses=(IPv4Address("10.0.0.1"),)))
    assert authority.issue("server", Subject("server", addresses=(IPv4Address("10.0.0.2"),))) != first


def test_a_fleet_without_control_plane_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no cluster"):
        make_cluster_keys(tmp_path, FLEET)
    assert not list(tmp_path.iterdir())
