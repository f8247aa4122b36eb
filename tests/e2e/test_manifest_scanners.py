"""The rendered manifests through kubeconform, kube-score and Checkov: what they find is fixed or waived for a time."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifest_findings import (
    Finding,
    ManifestWaiver,
    idle,
    load_waivers,
    of_checkov,
    of_kube_score,
    unaccepted,
)
from openapi_schemas import LOCATION, write_schemas
from rendered_cluster import ROOT, RenderedCluster
from rendered_environments import ENVIRONMENTS, render_environments

from palisade.console import Steps
from palisade.project import Project, cache_directory
from palisade.tools import ensure, step_titles

TODAY = datetime.now(UTC).date()
CARELESS: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "careless", "namespace": "palisade-registry"},
    "spec": {
        "selector": {"matchLabels": {"app": "careless"}},
        "template": {
            "metadata": {"labels": {"app": "careless"}},
            "spec": {"containers": [{"name": "all", "image": "web:latest", "securityContext": {"privileged": True}}]},
        },
    },
}
"""What every scanner must have something to say about."""


def program(name: str) -> str:
    project = Project(ROOT)
    return str(ensure(project, [name], Steps(step_titles(project, [name])))[name])


def scan(*command: str, manifests: str, variables: dict[str, str] | None = None) -> Any:
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(
        command, input=manifests, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout)


def kube_score(manifests: str) -> list[Finding]:
    command = (program("kube-score"), "score", "--output-format=json", "-")
    return list(of_kube_score(scan(*command, manifests=manifests)))


@pytest.fixture(scope="module")
def checkov_program() -> str:
    """Checkov, in an environment of its own that is kept: what ``tools/checkov/uv.lock`` says."""
    place = cache_directory() / "checkov"
    command = ["uv", "sync", "--project", str(ROOT / "tools" / "checkov"), "--locked", "--quiet"]
    subprocess.run(command, env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(place)}, check=True)
    return str(place / "bin" / "checkov")


def checkov(program_path: str, manifests: str, place: Path) -> list[Finding]:
    path = place / "manifests.yaml"
    path.write_text(manifests, encoding="utf-8")
    options = ("--framework=kubernetes", "--output=json", "--compact", "--quiet", "--skip-download")
    return list(of_checkov(scan(program_path, *options, f"--file={path}", manifests="")))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return render_environments(tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="module")
def schemas(rendered: RenderedCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("schemas")
    assert write_schemas(rendered.plane.get("/openapi/v2"), directory) > 200
    return directory


def kubeconform(schemas: Path, manifests: str) -> dict[str, Any]:
    command = (program("kubeconform"), "-strict", "-summary", "-output=json", f"-schema-location={schemas}/{LOCATION}")
    answer: dict[str, Any] = scan(*command, manifests=manifests)
    return answer


def test_every_manifest_is_what_this_api_server_knows_and_no_field_is_misspelt(
    rendered: RenderedCluster, schemas: Path
) -> None:
    documents = list(yaml.safe_load_all(rendered.manifests))
    answer = kubeconform(schemas, rendered.manifests)
    assert answer["summary"] == {"valid": len(documents), "invalid": 0, "errors": 0, "skipped": 0}, answer["resources"]
    assert "NodePool" in {document["kind"] for document in documents}


@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "sinks"])
def test_every_environment_with_its_registry_is_what_the_api_server_knows(
    environments: Mapping[str, str], schemas: Path, environment: str
) -> None:
    documents = list(yaml.safe_load_all(environments[environment]))
    answer = kubeconform(schemas, environments[environment])
    assert answer["summary"] == {"valid": len(documents), "invalid": 0, "errors": 0, "skipped": 0}, answer["resources"]
    objects = {f"{document['kind']}/{document['metadata']['name']}" for document in documents}
    assert {"Deployment/registry", *(("DaemonSet/fluentd",) if environment == "sinks" else ())} <= objects


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("NetworkPolicy", ("spec", "policyType"), ["Ingress"]),
        ("ResourceQuota", ("spec", "hard"), ["pods"]),
        ("NodePool", ("spec", "limit"), {"cpu": "4"}),
        ("NodePool", ("spec", "template", "spec", "expireAfter"), 720),
    ],
)
def test_a_field_that_is_misspelt_or_of_another_type_is_found(
    rendered: RenderedCluster, schemas: Path, kind: str, path: tuple[str, ...], value: Any
) -> None:
    document = next(each for each in yaml.safe_load_all(rendered.manifests) if each["kind"] == kind)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert kubeconform(schemas, yaml.safe_dump(document))["summary"]["invalid"] == 1


def test_what_kube_score_finds_is_accepted_for_a_time(environments: Mapping[str, str]) -> None:
    findings = {found for manifests in environments.values() for found in kube_score(manifests)}
    waivers = load_waivers()
    assert unaccepted(findings, waivers, TODAY) == []
    assert idle(findings, waivers, "kube-score") == []


def test_what_checkov_finds_is_accepted_for_a_time(
    environments: Mapping[str, str], checkov_program: str, tmp_path: Path
) -> None:
    findings = {found for manifests in environments.values() for found in checkov(checkov_program, manifests, tmp_path)}
    waivers = load_waivers()
    assert unaccepted(findings, waivers, TODAY) == []
    assert idle(findings, waivers, "checkov") == []


def test_both_scanners_find_what_is_careless(checkov_program: str, tmp_path: Path) -> None:
    manifest = yaml.safe_dump(CARELESS)
    name = "Deployment/palisade-registry/careless"
    scored = {(each.check, each.object) for each in kube_score(manifest)}
    assert {("container-security-context-privileged", name), ("container-image-tag", name)} <= scored
    scanned = {(each.check, each.object) for each in checkov(checkov_program, manifest, tmp_path)}
    assert {("CKV_K8S_16", name), ("CKV_K8S_14", name)} <= scanned


def test_a_waiver_ends_after_its_last_day() -> None:
    finding = Finding("kube-score", "a", "Kind/name")
    waiver = ManifestWaiver(
        scanner="kube-score", check="a", objects=("Kind/name",), reason="x" * 20, expires=TODAY.replace(month=1, day=1)
    )
    assert unaccepted([finding], [waiver], waiver.expires) == []
    assert unaccepted([finding], [waiver], waiver.expires.replace(day=2)) == [finding]
    assert idle([], [waiver], "kube-score") == ["a: Kind/name"]
