from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from local_samples import CLUSTER_FLEET, FLEET, machine, places, with_vault

from palisade.fleet import FleetHost, HostGroup
from palisade.local.cluster_programs import needed_tools
from palisade.local.engine import Engine
from palisade.local.hosts import Hosts
from palisade.local.image import HostImages
from palisade.local.keys import make_keys
from palisade.local.nodes import is_node, mount_options, runs_programs, volumes

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]


def named(name: str) -> FleetHost:
    return next(host for host in CLUSTER_FLEET.hosts if host.name == name)


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    where = places(tmp_path)
    make_keys(where, [host.name for host in CLUSTER_FLEET.hosts])
    images = HostImages.of(REPOSITORY / "images", where.images)
    return Hosts(engine=Engine(where), places=where, images=images, fleet=CLUSTER_FLEET, machine=machine())


def mounts(hosts: Hosts, name: str) -> set[str]:
    return {option for option in hosts.create_arguments(named(name)) if option.startswith("--volume=")}


def test_only_the_control_plane_and_the_registry_nodes_belong_to_the_cluster() -> None:
    assert [host.name for host in CLUSTER_FLEET.hosts if is_node(CLUSTER_FLEET, host)] == ["registry-1", "control-1"]
    assert not any(is_node(FLEET, host) for host in FLEET.hosts)


def test_a_node_has_volumes_of_its_own_and_sees_programs_and_images_but_cannot_change_them(hosts: Hosts) -> None:
    shared = {
        f"--volume={hosts.places.state}/programs:/opt/palisade/bin:ro",
        f"--volume={hosts.places.state}/images:/opt/palisade/images:ro",
    }
    assert mounts(hosts, "registry-1") == shared | {
        "--volume=registry-1-containerd:/var/lib/containerd",
        "--volume=registry-1-kubelet:/var/lib/kubelet",
    }
    assert mounts(hosts, "control-1") == shared | {"--volume=control-1-etcd:/var/lib/etcd"}
    assert mounts(hosts, "db-1") == set()
    assert hosts.create_arguments(named("control-1"))[-2] == hosts.images.node.name
    assert volumes(named("registry-1")) == ("registry-1-containerd", "registry-1-kubelet")


def test_without_a_control_host_a_registry_host_is_a_host_like_any_other(hosts: Hosts) -> None:
    bare = replace(hosts, fleet=FLEET)
    assert mounts(bare, "registry-1") == set()
    assert bare.create_arguments(named("registry-1"))[-2] == hosts.images.host.name
    assert bare.specification(named("registry-1")) != hosts.specification(named("registry-1"))
    assert bare.specification(named("db-1")) == hosts.specification(named("db-1"))


def test_in_a_fleet_with_a_vault_every_host_but_the_bastion_sees_the_programs(hosts: Hosts) -> None:
    fleet = with_vault(FLEET)
    seeing = [host.name for host in fleet.hosts if runs_programs(fleet, host)]
    assert seeing == ["registry-1", "db-1", "vault-1"]
    with_a_vault = replace(hosts, fleet=fleet)
    programs = {f"--volume={hosts.places.state}/programs:/opt/palisade/bin:ro"}
    assert mounts(with_a_vault, "db-1") == programs
    (vault,) = fleet.in_group(HostGroup.VAULT)
    assert set(mount_options(fleet, vault, hosts.places)) == programs
    assert hosts.images.of_host(fleet, vault) == hosts.images.host


def test_a_fleet_needs_the_programs_that_its_hosts_run() -> None:
    assert needed_tools(FLEET) == ()
    assert needed_tools(with_vault(FLEET)) == ("openbao",)
    assert needed_tools(with_vault(CLUSTER_FLEET))[-1] == "openbao"
    assert "openbao" not in needed_tools(CLUSTER_FLEET)
