"""The policy pack in the real pulumi, on the samples of every rule: what is refused is named, and not created."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from admission_cluster import Cluster

from palisade.policies.rules import load_rules
from palisade.policies.settings import NAMESPACES
from palisade.project import Project
from palisade.stack.programs import program_directories
from tests.control_plane import control_plane
from tests.policies.policy_samples import REGIONS, Sample, load_samples

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, os, pulumi, pulumi_kubernetes
provider = pulumi_kubernetes.Provider("cluster")
for name, (kind, manifest) in json.loads(os.environ["SAMPLES"]).items():
    pulumi.CustomResource(kind, name, manifest, pulumi.ResourceOptions(provider=provider))
"""


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    refusals: Mapping[str, set[str]]
    """The rules that refuse each resource."""
    output: str


@dataclass(frozen=True)
class Sandbox:
    """A project whose stack `prod` has the configuration of prod and declares the samples that it is told."""

    directory: Path
    kubeconfig: Path
    cluster: Cluster

    def pulumi(self, *arguments: str, samples: Sequence[Sample] = ()) -> Outcome:
        log = self.directory / "events.json"
        log.unlink(missing_ok=True)
        told = {repr(sample): (sample.pulumi_type, sample.manifest) for sample in samples}
        directories = map(str, program_directories(Project(ROOT)))
        completed = subprocess.run(
            ["pulumi", *arguments, "--stack", "prod", "--non-interactive", "--color", "never"],
            cwd=self.directory,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "PATH": os.pathsep.join([*directories, os.environ["PATH"]]),
                "PULUMI_BACKEND_URL": f"file://{self.directory}",
                "PULUMI_CONFIG_PASSPHRASE": "",
                "PULUMI_DEBUG_COMMANDS": "true",
                "PULUMI_HOME": str(self.directory / "home"),
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "SAMPLES": json.dumps(told),
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Outcome(completed.returncode, _refusals(log), completed.stdout + completed.stderr)

    def judged(self, *arguments: str, samples: Sequence[Sample]) -> Outcome:
        return self.pulumi(
            *arguments, f"--policy-pack={ROOT / 'policies/pulumi'}", "--event-log=events.json", samples=samples
        )


def _refusals(log: Path) -> Mapping[str, set[str]]:
    refusals: dict[str, set[str]] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.is_file() else ():
        event = json.loads(line).get("policyEvent")
        if event:
            assert event["enforcementLevel"] == "mandatory"
            refusals.setdefault(event["resourceUrn"].rpartition("::")[2], set()).add(event["policyName"])
    return refusals


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    directory = tmp_path_factory.mktemp("pack")
    prod = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8"))
    prod["config"]["palisade:fleet"]["data_classes"] = {
        name: {"allowed_regions": list(regions), "region": regions[0]} for name, regions in REGIONS.items()
    }
    (directory / "Pulumi.prod.yaml").write_text(yaml.safe_dump(prod), encoding="utf-8")
    (directory / "Pulumi.yaml").write_text("name: sample\nruntime: python\n", encoding="utf-8")
    (directory / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    with control_plane() as plane:
        cluster = Cluster(str(plane.kubeconfig))
        for name in NAMESPACES:
            cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        made = Sandbox(directory, plane.kubeconfig, cluster)
        initialised = made.pulumi("stack", "init")
        assert initialised.exit_code == 0, initialised.output
        yield made


def first_samples(*, is_allowed: bool) -> list[Sample]:
    """One sample of each rule."""
    samples = [sample for sample in load_samples() if sample.is_allowed == is_allowed and sample.environment == "prod"]
    return [next(sample for sample in samples if sample.rule == rule) for rule in load_rules()]


def test_a_preview_names_each_refused_resource_and_no_other(sandbox: Sandbox) -> None:
    refused = first_samples(is_allowed=False)
    previewed = sandbox.judged("preview", samples=[*refused, *first_samples(is_allowed=True)])
    assert previewed.exit_code != 0
    assert previewed.refusals == {repr(sample): {sample.rule} for sample in refused}, previewed.output
    for sample in refused:
        assert load_rules()[sample.rule].advice in previewed.output


def test_nothing_that_is_refused_is_created(sandbox: Sandbox) -> None:
    refused = next(sample for sample in first_samples(is_allowed=False) if sample.manifest["kind"] == "Pod")
    updated = sandbox.judged("up", "--yes", "--skip-preview", samples=[refused])
    assert updated.exit_code != 0
    assert list(updated.refusals) == [repr(refused)], updated.output
    assert sandbox.cluster.core().list_pod_for_all_namespaces().items == []
