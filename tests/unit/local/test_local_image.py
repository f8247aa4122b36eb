from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from local_samples import CLUSTER_FLEET, FLEET

from palisade.local.image import HostImage, HostImages, remove_built_images, remove_partial_builds

SOURCE = Path(__file__).resolve().parents[3] / "images/host"
INSTALLED_BY_ROLES = {"nftables", "chrony", "unattended-upgrades", "libpam-pwquality", "logrotate"}


@pytest.fixture
def image(tmp_path: Path) -> HostImage:
    shutil.copytree(SOURCE, tmp_path / "host", symlinks=True)
    return HostImage(source=tmp_path / "host", cache=tmp_path / "cache")


def test_the_same_content_has_the_same_key_wherever_it_lies(image: HostImage) -> None:
    assert image.key == HostImage(source=SOURCE, cache=Path("/nowhere")).key
    assert image.name == f"localhost/palisade-host:{image.key}"
    assert image.archive.name == f"host-trixie-{image.key}.tar"


@pytest.mark.parametrize("change", ["content", "mode", "name", "new file", "release"])
def test_any_change_of_the_source_is_another_image(image: HostImage, change: str) -> None:
    before = image.key
    file = image.source / "files/etc/sudoers.d/palisade"
    if change == "content":
        file.write_text(file.read_text(encoding="ascii") + "\n", encoding="ascii")
    elif change == "mode":
        (image.source / "customize").chmod(0o644)
    elif change == "name":
        file.rename(file.with_name("palisade-2"))
    elif change == "new file":
        (image.source / "files/etc/motd").write_text("hello\n", encoding="ascii")
    else:
        (image.source / "suite").write_text("forky\n", encoding="ascii")
    assert image.key != before


def test_the_image_is_bare_and_the_build_names_every_package(image: HostImage) -> None:
    assert len(image.packages) == len(set(image.packages))
    assert {"systemd", "openssh-server", "sudo", "python3", "cron", "inetutils-telnet"} <= set(image.packages)
    assert set(image.packages) & INSTALLED_BY_ROLES == set()
    arguments = image.build_arguments(Path("/somewhere/host.tar"))
    assert f"--include={','.join(image.packages)}" in arguments
    assert f"--customize-hook={image.source / 'customize'}" in arguments
    assert arguments[-2:] == ("trixie", "/somewhere/host.tar")


def test_no_key_and_nothing_of_a_fleet_is_in_the_source() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*") if path.is_file())
    for secret in ("PRIVATE KEY", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "10.77.", "registry-1"):
        assert secret not in text


def test_an_image_that_is_there_is_not_built_again(image: HostImage) -> None:
    image.cache.mkdir()
    image.archive.write_bytes(b"")
    assert image.build() is False


def test_a_killed_build_is_cleared_away_and_a_running_one_is_left_alone(image: HostImage) -> None:
    image.cache.mkdir()
    with subprocess.Popen(["true"]) as process:
        process.wait()
    killed, running = (image.cache / f"host-trixie-{image.key}-{pid}.partial" for pid in (process.pid, os.getpid()))
    for directory in (killed, running):
        (directory / "mmdebstrap.x").mkdir(parents=True)
    remove_partial_builds(image.cache)
    assert [path.name for path in image.cache.iterdir()] == [running.name]


def test_the_image_of_a_node_is_the_host_image_and_more(image: HostImage) -> None:
    images = HostImages.of(SOURCE.parent, Path("/cache"))
    node = images.node
    assert (node.suite, node.archive.name) == ("trixie", f"node-trixie-{node.key}.tar")
    assert node.name == f"localhost/palisade-node:{node.key}"
    assert node.packages[: len(images.host.packages)] == images.host.packages
    assert {"containerd", "runc", "etcd-server", "docker-registry", "skopeo", "conntrack"} <= set(node.packages)
    assert len(node.packages) == len(set(node.packages))
    hooks = [argument for argument in node.build_arguments(Path("/x")) if argument.startswith("--customize-hook")]
    assert [hook.rpartition("images/")[2] for hook in hooks] == ["host/customize", "node/customize"]
    other_base = HostImage(source=node.source, cache=node.cache, base=image)
    assert other_base.key == node.key
    (image.source / "packages").write_text("systemd\n", encoding="ascii")
    assert other_base.key != node.key


def test_hosts_of_a_cluster_start_from_the_image_of_a_node() -> None:
    images = HostImages.of(SOURCE.parent, Path("/cache"))
    kinds = {host.name: images.of_host(CLUSTER_FLEET, host).kind for host in CLUSTER_FLEET.hosts}
    assert kinds == {"bastion-1": "host", "registry-1": "node", "db-1": "host", "control-1": "node"}
    assert images.needed(CLUSTER_FLEET) == (images.host, images.node)
    assert images.needed(FLEET) == (images.host,)


def test_purging_removes_what_was_built_and_nothing_else(tmp_path: Path) -> None:
    for name in ("host-trixie-1.tar", "node-trixie-2.tar", "notes"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "container-pause-3/blobs").mkdir(parents=True)
    remove_built_images(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
