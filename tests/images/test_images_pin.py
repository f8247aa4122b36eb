"""``palisade images pin`` against real registries: what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from registries import (
    INDEX,
    MANIFEST,
    SAVED,
    SERVICE,
    USER,
    Registry,
    TlsFiles,
    free_ports,
    https_server,
    respond,
    running_registry,
    signed_token,
    token_service,
)

from palisade.config import load_configuration
from palisade.errors import PalisadeError
from palisade.images.pinning import pin_images
from palisade.images.references import needed_images
from palisade.images.registry import Image, ImageRegistries
from palisade.project import Project

ROOT = Path(__file__).parents[2]
HASHED = "$2b$04$/zTa3GjpouYbYrAm5IHwi.VjOhgudjEKEXqHBm6brHmWx7KgU/piS"
"""The password, as bcrypt hashes it."""


@pytest.fixture(scope="module")
def registry(tls: TlsFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that everybody may read."""
    with running_registry(tmp_path_factory.mktemp("registry"), tls) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, registry: Registry, tls: TlsFiles) -> Project:
    """A project with the shipped environment ``prod``, whose images are in the registry."""
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(ROOT / "Pulumi.yaml", root)
    text = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8")
    sources = {"repository": f"{registry.address}/palisade", "tag": "0.1.0", "ca_file": str(tls.ca_file)}
    document = yaml.safe_load(text)["config"]["palisade:fleet"]
    if "image_sources" in document:
        lines = [line for line in text.splitlines() if not line.strip().startswith("image_sources:")]
        text = "\n".join(lines) + "\n"
    text = text.replace("    images: {}", f"    image_sources: {json.dumps(sources)}\n    images: {{}}")
    (root / "Pulumi.prod.yaml").write_text(text, encoding="utf-8")
    return Project(root)


def digest(registry: Registry, tls: TlsFiles, repository: str, tag: str = "0.1.0") -> str:
    return ImageRegistries(tls.ca_file).digest(Image(registry.address, repository, tag))


@pytest.mark.parametrize("media_type", [MANIFEST, INDEX])
def test_the_digest_is_that_of_the_image_or_of_the_index(registry: Registry, tls: TlsFiles, media_type: str) -> None:
    pushed = registry.push("palisade/one", "0.1.0", media_type=media_type, text=media_type)
    assert digest(registry, tls, "palisade/one") == pushed


def test_pin_writes_every_image_and_nothing_else_and_does_nothing_the_second_time(
    registry: Registry, project: Project
) -> None:
    names = needed_images(load_configuration(project, "prod"))
    pushed = {name: registry.push(f"palisade/{name}", "0.1.0", text=name) for name in names}
    path = project.environment_file("prod")
    before = path.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "palisade", "images", "pin", "prod"]
    run = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    references = {name: f"{registry.address}/palisade/{name}:0.1.0@{pushed[name]}" for name in names}
    assert load_configuration(project, "prod").images == references
    after = path.read_text(encoding="utf-8")
    gone = [line for line in before.splitlines() if line not in after.splitlines()]
    assert gone == [line for line in before.splitlines() if line.startswith("    images: {}")]
    assert {one.changed for one in pin_images(project, "prod")} == {False}
    assert path.read_text(encoding="utf-8") == after
    moved = registry.push("palisade/envoy", "0.1.0", text="another")
    assert [one.name for one in pin_images(project, "prod") if one.changed] == ["envoy"]
    assert load_configuration(project, "prod").images["envoy"].endswith(moved)


def test_nothing_is_written_unless_all_are_found(registry: Registry, project: Project) -> None:
    registry.push("palisade/envoy", "0.1.0")
    text = project.environment_file("prod").read_text(encoding="utf-8").replace("0.1.0", "0.2.0")
    project.environment_file("prod").write_text(text, encoding="utf-8")
    with pytest.raises(PalisadeError, match="The registry has no image"):
        pin_images(project, "prod")
    assert project.environment_file("prod").read_text(encoding="utf-8") == text


def test_an_image_that_the_environment_does_not_run_is_refused(project: Project) -> None:
    with pytest.raises(PalisadeError, match="The environment runs no image envoi") as raised:
        pin_images(project, "prod", ["envoi"])
    assert raised.value.remedy == "did you mean envoy?"


def test_an_image_that_is_not_there(registry: Registry, tls: TlsFiles) -> None:
    with pytest.raises(PalisadeError) as raised:
        digest(registry, tls, "palisade/nothing")
    assert raised.value.problem == f"The registry has no image {registry.address}/palisade/nothing:0.1.0."


def test_a_registry_that_cannot_be_reached(tls: TlsFiles) -> None:
    (port,) = free_ports(1)
    with pytest.raises(PalisadeError, match=rf"The registry 127\.0\.0\.1:{port} cannot be reached: .*refused"):
        ImageRegistries(tls.ca_file).digest(Image(f"127.0.0.1:{port}", "palisade/envoy", "1"))


def test_a_registry_whose_certificate_nobody_trusted_signed(registry: Registry) -> None:
    with pytest.raises(PalisadeError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
        ImageRegistries().digest(Image(registry.address, "palisade/envoy", "1"))


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / "ca.pem").write_text(content, encoding="ascii")
    with pytest.raises(PalisadeError, match="The file with certificates cannot be used"):
        ImageRegistries(tmp_path / "ca.pem")


def test_a_registry_with_passwords(tls: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_text(f"{USER}:{HASHED}\n", encoding="ascii")
    wanted = {"htpasswd": {"realm": "images", "path": str(htpasswd)}}
    with running_registry(tmp_path, tls, authorisation=wanted, token=f"Basic {SAVED}") as running:
        pushed = running.push("palisade/envoy", "0.1.0")
        with pytest.raises(PalisadeError, match="does not let you read palisade/envoy") as raised:
            digest(running, tls, "palisade/envoy")
        assert raised.value.remedy == f"podman login {running.address} (or docker login), with an account that may pull"
        save(tmp_path, monkeypatch, running.address)
        assert digest(running, tls, "palisade/envoy") == pushed


def test_a_registry_with_tokens(tls: TlsFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with https_server(tls, token_service(tls, asked)) as tokens:
        wanted = {
            "token": {
                "realm": f"https://{tokens}/token",
                "service": SERVICE,
                "issuer": "tokens",
                "rootcertbundle": str(tls.ca_file),
            }
        }
        token = signed_token(tls, "palisade/envoy", ["push", "pull"])
        with running_registry(tmp_path, tls, authorisation=wanted, token=f"Bearer {token}") as running:
            pushed = running.push("palisade/envoy", "0.1.0")
            with pytest.raises(PalisadeError, match="does not let you read palisade/envoy"):
                digest(running, tls, "palisade/envoy")
            save(tmp_path, monkeypatch, running.address)
            assert digest(running, tls, "palisade/envoy") == pushed
    assert asked == ["repository:palisade/envoy:pull"] * 2


@pytest.mark.parametrize(
    ("status", "headers", "problem"),
    [
        (
            200,
            {"Content_Type": MANIFEST, "Docker_Content_Digest": f"sha256:{'0' * 64}"},
            "what it sent has sha256:44136",
        ),
        (200, {"Content_Type": "text/html"}, "something that is not an image: text/html"),
        (200, {}, "something that is not an image: no media type"),
        (500, {"Content_Type": MANIFEST}, "answers with 500"),
        (307, {"Location": "http://127.0.0.1/"}, "answers with 307"),
        (
            401,
            {"WWW_Authenticate": 'Bearer realm="http://127.0.0.1/token"'},
            "an authorisation that is not known: Bearer",
        ),
        (401, {"WWW_Authenticate": "Negotiate"}, "an authorisation that is not known: Negotiate"),
        (401, {}, "an authorisation that is not known: none"),
        (403, {}, "does not let you read palisade/envoy"),
    ],
)
def test_a_registry_that_answers_wrongly(tls: TlsFiles, status: int, headers: dict[str, str], problem: str) -> None:
    serving = https_server(tls, lambda handler: respond(handler, status, b"{}", **headers))
    with serving as address, pytest.raises(PalisadeError) as raised:
        ImageRegistries(tls.ca_file).digest(Image(address, "palisade/envoy", "0.1.0"))
    assert problem in raised.value.problem


def save(directory: Path, monkeypatch: pytest.MonkeyPatch, registry: str) -> None:
    """What ``docker login`` leaves."""
    (directory / "config.json").write_text(json.dumps({"auths": {registry: {"auth": SAVED}}}), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
