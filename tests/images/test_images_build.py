"""Images with packages of Debian, built by the real mmdebstrap and podman: the same twice, and nothing too much."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from palisade.local.container_images import container_images, provide_images
from palisade.local.engine import Engine
from palisade.local.image import HostImages
from palisade.local.machine import read_machine
from palisade.local.mounts import remove_tree
from palisade.local.places import Places

ROOT = Path(__file__).parents[2]
RECIPE = "FROM scratch\nCOPY --from=debian / /\nUSER 65532:65532\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="podman and mmdebstrap start here as root only")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The same image from scratch, twice: each with a cache and an engine of its own."""
    folder = tmp_path_factory.mktemp("images")
    for name in ("host", "node", "debian"):
        (folder / name).symlink_to(ROOT / "images" / name)
    (folder / "demo").mkdir()
    (folder / "demo/Containerfile").write_text(RECIPE, encoding="ascii")
    (folder / "demo/packages").write_text("ca-certificates\n", encoding="ascii")
    layouts = []
    directories = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    try:
        for directory in directories:
            places = Places("demo", directory / "state", directory / "run", directory / "cache")
            places.programs.mkdir(parents=True)
            engine = Engine(places)
            engine.prepare(read_machine(places.state))
            node = HostImages.of(folder, places.images).node
            images = container_images(folder, node=node, programs=places.programs)
            assert provide_images(images, engine, places.container_images) == {"demo": "built"}
            assert provide_images(images, engine, places.container_images) == {"demo": "there"}
            layouts.append(places.container_images / "demo")
        yield layouts
    finally:
        for directory in directories:
            remove_tree(directory)


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


def manifest(layout: Path) -> dict[str, list[dict[str, str]]]:
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    found: dict[str, list[dict[str, str]]] = json.loads(blob(layout, index["manifests"][0]["digest"]).read_text())
    return found


def test_built_twice_it_is_the_same_image(built: list[Path]) -> None:
    one, two = ((layout / "index.json").read_text(encoding="utf-8") for layout in built)
    assert one == two


def test_it_has_what_was_asked_for_and_nothing_to_work_with(built: list[Path]) -> None:
    (layer,) = manifest(built[0])["layers"]
    with tarfile.open(blob(built[0], layer["digest"])) as packed:
        members = {member.name.strip("/"): member for member in packed.getmembers()}
    assert {"etc/passwd", "etc/ssl/certs/ca-certificates.crt", "usr/lib/os-release", "tmp"} <= set(members)
    assert any(name.endswith("-linux-gnu/libc.so.6") for name in members)
    assert {"var/lib/dpkg/status.d/libc6", "var/lib/dpkg/status.d/ca-certificates"} <= set(members)
    assert not [name for name in members if name.startswith(("usr/bin/", "usr/sbin/", "etc/apt", "var/cache", "dev/"))]
    assert not [name for name, member in members.items() if member.isfile() and member.mode & 0o6000]
    assert {"etc/hostname", "etc/resolv.conf"} & set(members) == set()
    assert {member.mtime for member in members.values()} == {0}
