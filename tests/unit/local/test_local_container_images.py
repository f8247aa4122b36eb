from __future__ import annotations

import os
import shutil
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest

from palisade.errors import ConfigurationError
from palisade.local.cluster_programs import provide_programs
from palisade.local.container_images import ContainerImage, container_images, provide_images
from palisade.local.debian_root import DebianRoot
from palisade.local.image import HostImages
from palisade.local.linked import link_or_copy
from palisade.local.places import Places
from palisade.local.processes import Finished

IMAGES = Path(__file__).resolve().parents[3] / "images"


class FakeEngine:
    """Stands in for podman, which takes root: writes what ``podman push ... oci:DIRECTORY`` was seen to write."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def run(self, *arguments: str) -> str:
        self.commands.append(arguments[0])
        if arguments[0] == "push":
            layout = Path(arguments[-1].removeprefix("oci:"))
            (layout / "blobs/sha256").mkdir(parents=True)
            (layout / "blobs/sha256/0123").write_text("layer", encoding="ascii")
            (layout / "index.json").write_text(arguments[-2], encoding="ascii")
        return ""

    def attempt(self, *arguments: str) -> Finished:
        return Finished(arguments, 0, "", "")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Something under the name of each program that a recipe copies."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for recipe in IMAGES.glob("*/Containerfile"):
        for context, name in pairwise(recipe.read_text(encoding="utf-8").split()):
            if context in {"--from=programs", "--from=unpacked"}:
                suffix = ".tar.gz" if context.endswith("unpacked") else ""
                (directory / f"{name}{suffix}").write_bytes(b"one")
    return directory


@pytest.fixture
def images(tmp_path: Path, programs: Path) -> dict[str, ContainerImage]:
    node = HostImages.of(IMAGES, tmp_path / "cache").node
    return {image.name: image for image in container_images(IMAGES, node=node, programs=programs)}


def test_every_folder_with_a_recipe_is_an_image(images: dict[str, ContainerImage]) -> None:
    assert set(images) >= {"busybox", "coredns", "pause"}
    assert not {"host", "node"} & set(images)


def test_images_start_from_nothing_and_run_as_nobody(images: dict[str, ContainerImage]) -> None:
    for image in images.values():
        lines = (image.source / "Containerfile").read_text(encoding="utf-8").splitlines()
        assert "FROM scratch" in lines
        (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
        assert all(int(part) >= 65_000 for part in user.split(":"))


def test_an_image_is_made_anew_when_one_of_its_programs_is_another(
    images: dict[str, ContainerImage], programs: Path
) -> None:
    keys = {name: images[name].key for name in ("busybox", "coredns", "pause")}
    (programs / "coredns").write_bytes(b"two")
    (programs / "kubelet").write_bytes(b"not in any image")
    assert {name for name, key in keys.items() if images[name].key != key} == {"coredns"}


def test_an_image_is_built_once_and_taken_from_the_cache_by_the_next_fleet(
    images: dict[str, ContainerImage], tmp_path: Path
) -> None:
    image, engine = images["pause"], FakeEngine()
    words = [image.provide(engine, tmp_path / fleet) for fleet in ("one", "one", "two")]  # type: ignore[arg-type]
    assert words == ["built", "there", "taken from the cache"]
    assert engine.commands == ["build", "push"]
    assert sorted(path.name for path in (tmp_path / "two/pause").iterdir()) == ["blobs", "index.json"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [image.built.name]


def test_an_image_that_was_copied_in_part_is_copied_again(images: dict[str, ContainerImage], tmp_path: Path) -> None:
    image, engine = images["pause"], FakeEngine()
    image.provide(engine, tmp_path / "fleet")  # type: ignore[arg-type]
    (tmp_path / "fleet/pause/index.json").unlink()
    (tmp_path / "fleet/pause/blobs/sha256/0123").unlink()
    assert image.provide(engine, tmp_path / "fleet") == "taken from the cache"  # type: ignore[arg-type]
    assert (tmp_path / "fleet/pause/blobs/sha256/0123").read_text(encoding="ascii") == "layer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images of our own; the image in it is called demo."""
    for name in ("host", "node", "debian"):
        shutil.copytree(IMAGES / name, tmp_path / "images" / name)
    (tmp_path / "images/demo").mkdir()
    return tmp_path / "images"


def demo(folder: Path, recipe: str = "FROM scratch\nCOPY --from=debian / /\n") -> ContainerImage:
    (folder / "demo/Containerfile").write_text(recipe, encoding="utf-8")
    node = HostImages.of(folder, folder.parent / "cache").node
    (image,) = (image for image in container_images(folder, node=node, programs=folder) if image.name == "demo")
    return image


def test_an_image_that_names_packages_has_a_root_of_debian(folder: Path) -> None:
    (folder / "demo/packages").write_text("# a comment\n\ntzdata\n", encoding="ascii")
    image = demo(folder)
    assert image.debian is not None
    assert f"--build-context=debian={image.debian.directory}" in image.build_arguments("x")
    arguments = image.debian.build_arguments(Path("/root"))
    assert "--include=base-files,libc6,tzdata" in arguments
    assert "--variant=extract" in arguments
    assert {"--dpkgopt=path-exclude=/usr/bin/*", "--dpkgopt=path-exclude=/usr/sbin/*"} <= set(arguments)
    assert arguments[-2:] == ("trixie", "/root")
    before = image.key
    (folder / "debian/files/etc/group").write_text("root:x:0:\n", encoding="ascii")
    assert image.key != before, "what every root gets counts"
    assert demo(folder, "FROM scratch\n").build_arguments("x")[-2:] == ("--tag=x", str(folder / "demo"))


def test_images_with_the_same_packages_share_a_root_which_is_built_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (folder / "demo/packages").write_text("tzdata\n", encoding="ascii")
    demo(folder)
    shutil.copytree(folder / "demo", folder / "other")
    built = []
    monkeypatch.setattr(DebianRoot, "build", lambda root: built.append(root.directory))
    node = HostImages.of(folder, tmp_path / "cache").node
    images = container_images(folder, node=node, programs=folder)
    words = provide_images(images, FakeEngine(), tmp_path / "fleet")  # type: ignore[arg-type]
    assert (words, len(built)) == ({"demo": "built", "other": "built"}, 1)
    words = provide_images(images, FakeEngine(), tmp_path / "fleet")  # type: ignore[arg-type]
    assert (words, len(built)) == ({"demo": "there", "other": "there"}, 1)


def test_an_image_that_is_built_elsewhere_is_left_out(folder: Path) -> None:
    demo(folder, "FROM scratch\n")
    (folder / "demo/elsewhere").write_text("Its parts cannot be had here.\n", encoding="utf-8")
    node = HostImages.of(folder, folder.parent / "cache").node
    assert container_images(folder, node=node, programs=folder) == []


@pytest.mark.parametrize(
    ("context", "allowed", "remedy"),
    [
        ("debian", "node, programs", "name Debian packages in images/demo/packages"),
        ("elsewhere", "node, programs", None),
    ],
)
def test_a_recipe_that_asks_for_what_its_image_does_not_have_is_refused(
    folder: Path, context: str, allowed: str, remedy: str | None
) -> None:
    image = demo(folder, f"FROM scratch\nCOPY --from={context} / /\n")
    with pytest.raises(ConfigurationError, match=f"asks for the build context {context}, which the image") as raised:
        image.build_arguments("x")
    said = raised.value
    assert (said.where, said.allowed, said.remedy) == ("images/demo/Containerfile", allowed, remedy)


def test_a_program_that_is_an_archive_is_unpacked_for_its_image(folder: Path, tmp_path: Path) -> None:
    def pack(text: str) -> None:
        (tmp_path / "inside").write_text(text, encoding="ascii")
        with tarfile.open(folder / "app.tar.gz", "w:gz") as packed:
            packed.add(tmp_path / "inside", arcname="lib/inside")

    pack("one")
    image = demo(folder, "FROM scratch\nCOPY --from=unpacked app /opt/app\n")
    unpacked, key = image.unpacked, image.key
    assert unpacked is not None
    assert f"--build-context=unpacked={unpacked.directory}" in image.build_arguments("x")
    assert (unpacked.unpack(), unpacked.unpack()) == (True, False)
    assert (unpacked.directory / "app/lib/inside").read_text(encoding="ascii") == "one"
    before = unpacked.directory
    pack("two")
    assert (image.key != key, unpacked.directory != before) == (True, True)


def test_the_hosts_see_exactly_the_programs_of_now(tmp_path: Path) -> None:
    where = Places("test", tmp_path / "state", tmp_path / "run", tmp_path / "images")
    where.state.mkdir()
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "kubelet").write_text(version, encoding="ascii")
    (tmp_path / "1/old").write_text("old", encoding="ascii")
    (tmp_path / "link").symlink_to(tmp_path / "2/kubelet")
    provide_programs({"kubelet": tmp_path / "1/kubelet", "old": tmp_path / "1/old"}, where)
    running = (where.programs / "kubelet").open(encoding="ascii")
    provide_programs({"kubelet": tmp_path / "link"}, where)
    assert {path.name: path.read_text(encoding="ascii") for path in where.programs.iterdir()} == {"kubelet": "2"}
    assert not (where.programs / "kubelet").is_symlink()
    with running:
        assert running.read() == "1", "a program that runs keeps its file"


def test_a_file_is_linked_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    target = tmp_path / "below/target"
    assert link_or_copy(tmp_path / "source", target)
    assert target.samefile(tmp_path / "source")
    assert not link_or_copy(tmp_path / "source", target)


def test_a_file_is_copied_where_links_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, os.strerror(18))  # EXDEV: another file system

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "source").write_bytes(b"content")
    (tmp_path / "source").chmod(0o755)
    target = tmp_path / "target"
    assert link_or_copy(tmp_path / "source", target)
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"content", 0o755)
    assert not link_or_copy(tmp_path / "source", target)
    (tmp_path / "source").write_bytes(b"changed")
    assert link_or_copy(tmp_path / "source", target)
