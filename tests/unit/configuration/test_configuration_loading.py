"""Reading Pulumi.<environment>.yaml: what is accepted, what YAML itself gets wrong, and that nothing is touched."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from configuration_samples import PROJECT_ROOT, SOUND, WriteProject, changed
from pydantic import ValidationError

from palisade.config import PERMANENT_ENVIRONMENTS, load_configuration, parse_configuration
from palisade.config_cluster import Provisioner
from palisade.errors import ConfigurationError, ExitCode
from palisade.fleet import HostGroup
from palisade.project import Project
from palisade.sizing import size

ENVIRONMENTS = Project(root=PROJECT_ROOT).environments()
DIGEST = "@sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_environments_are_sound(environment: str, checkout: Project) -> None:
    configuration = load_configuration(checkout, environment)
    assert configuration.environment == environment
    assert configuration.is_local is (environment not in PERMANENT_ENVIRONMENTS)


def test_the_four_environments_are_there() -> None:
    assert {"dev", "local", "prod", "staging"} <= set(ENVIRONMENTS)


@pytest.mark.parametrize("environment", PERMANENT_ENVIRONMENTS)
def test_the_shipped_environments_list_the_registry_hosts_that_their_load_needs_or_have_them_made(
    environment: str, checkout: Project
) -> None:
    configuration = load_configuration(checkout, environment)
    needed = size(configuration.traffic, configuration.audit, configuration.registry).scale.nodes
    assert configuration.cluster is not None
    is_made = configuration.cluster.provisioner is Provisioner.KARPENTER
    assert len(configuration.hosts_in(HostGroup.REGISTRY)) == (0 if is_made else needed)


def test_the_local_fleet_has_the_hosts_that_the_agreement_names(checkout: Project) -> None:
    hosts = {host.name: str(host.address) for host in load_configuration(checkout, "local").hosts}
    assert hosts == {
        "bastion-1": "10.77.0.10",
        "control-1": "10.77.0.11",
        "registry-1": "10.77.0.21",
        "registry-2": "10.77.0.22",
        "db-1": "10.77.0.31",
        "vault-1": "10.77.0.41",
    }


def test_what_is_left_out_gets_the_written_defaults(write_project: WriteProject) -> None:
    kept = ("exposure", "networks", "hosts", "database", "data_classes")
    document = {key: SOUND[key] for key in kept} | {"traffic": {"peak_rps": 5000}}
    configuration = load_configuration(write_project(document), "dev")
    assert configuration.traffic.average_rps == 1500
    assert configuration.audit.retention_days == 365
    assert configuration.tls.minimum_version == "1.3"
    assert (configuration.tls.certificate_ttl_hours, configuration.tls.renew_before_hours) == (24, 12)
    assert configuration.images == {}


def test_a_fraction_is_read_exactly(write_project: WriteProject) -> None:
    configuration = load_configuration(write_project(changed(("audit.compression_ratio", 6.1))), "dev")
    assert configuration.audit.compression_ratio == Decimal("6.1")


def test_only_a_local_fleet_may_use_images_without_digest(write_project: WriteProject) -> None:
    images = {"envoy": "localhost:5000/palisade/envoy:1.40.0", "opa": f"registry.example/opa{DIGEST}"}
    project = write_project(changed(("images", images), ("local", {"memory_mib": 512})), environment="laptop")
    assert load_configuration(project, "laptop").images == images


def test_a_pinned_image_is_accepted_everywhere(write_project: WriteProject) -> None:
    images = {"envoy": f"registry.example:5000/palisade/envoy:1.40.0{DIGEST}", "opa": f"opa{DIGEST}"}
    assert load_configuration(write_project(changed(("images", images))), "dev").images == images


def test_a_configuration_cannot_be_changed(checkout: Project) -> None:
    configuration = load_configuration(checkout, "dev")
    with pytest.raises(ValidationError, match="frozen"):
        configuration.audit.retention_days = 1  # type: ignore[misc]


def test_what_pulumi_hands_to_a_program_is_read_like_the_file(checkout: Project) -> None:
    document = yaml.safe_load(checkout.environment_file("prod").read_text())["config"]["palisade:fleet"]
    parsed = parse_configuration(document, environment="prod", file="Pulumi.prod.yaml")
    assert parsed == load_configuration(checkout, "prod")


def test_errors_without_a_file_name_the_path_only() -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_configuration(changed(("exposure", "public")), environment="dev", file="stack dev")
    assert refused.value.where == "stack dev: fleet.exposure"


def test_an_unknown_environment_is_answered_with_the_known_ones(checkout: Project) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(checkout, "porod")
    assert "dev, local" in (refused.value.allowed or "")
    assert refused.value.remedy == "did you mean prod?"


@pytest.mark.parametrize("environment", ["../dev", "", "/etc/passwd", "dev.yaml"])
def test_an_environment_is_a_name_and_never_a_path(environment: str, checkout: Project) -> None:
    with pytest.raises(ConfigurationError, match="There is no environment"):
        load_configuration(checkout, environment)


@pytest.mark.parametrize(
    ("text", "problem", "where"),
    [
        ("config:\n  palisade:fleet: {a: [1\n", "The file is not YAML", "line 3, column 1"),
        ("config:\n\tpalisade: 1\n", "cannot start any token", "line 2, column 1"),
        ("config: {a: 1}\nconfig: {a: 2}\n", "The key config stands twice in one section.", "line 2, column 1"),
        ("config:\n  x:\n    a: 1\n    b: 2\n    a: 3\n", "The key a stands twice", "line 5, column 5"),
        ("a: &x [1]\nb: *x\n", "aliases are refused, write the value out", "line 2, column 4"),
        ("a: {<<: {b: 1}}\n", "A key is not plain text.", "line 1, column 5"),
        ("? [a, b]\n: 1\n", "A key is not plain text.", "line 1, column 3"),
        ("a: !!python/object:os.system {}\nb: !secret x\n", "could not determine a constructor", "line 2, column 4"),
        ("a: 2024-13-45\n", "The value 2024-13-45 cannot be read", "line 1, column 4"),
        ("a: 1\n---\nb: 2\n", "expected a single document", "line 2, column 1"),
        ("a: \x00\n", "special characters are not allowed", ""),
    ],
)
def test_yaml_that_is_wrong_or_ambiguous_is_refused_where_it_is(
    text: str, problem: str, where: str, write_project: WriteProject
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(text=text), "dev")
    assert problem in refused.value.problem
    assert (refused.value.where or "").endswith(where)
    assert "Pulumi.dev.yaml" in (refused.value.where or "")


def test_a_key_that_stands_twice_is_answered_with_the_first_line(write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(text="a: 1\nb: 2\na: 3\n"), "dev")
    assert refused.value.remedy == "keep one of them (the first is on line 1)"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "start from Pulumi.dev.yaml"),
        ("- 1\n", "start from Pulumi.dev.yaml"),
        ("config:\n", "start from Pulumi.dev.yaml"),
        ("config: {palisade:flet: {}}\n", "rename palisade:flet to palisade:fleet"),
    ],
)
def test_a_file_without_a_fleet_is_refused(text: str, remedy: str, write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(write_project(text=text), "dev")
    assert refused.value.problem == "The file has no palisade:fleet under config."
    assert refused.value.remedy == remedy


def test_what_pulumi_writes_beside_the_fleet_is_left_alone(write_project: WriteProject) -> None:
    text = yaml.safe_dump({"encryptionsalt": "v1:abc", "config": {"other:key": 1, "palisade:fleet": SOUND}})
    assert load_configuration(write_project(text=text), "dev").exposure == "dmz"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(b"config: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match="it is not UTF-8 text") as refused:
        load_configuration(Project(root=tmp_path), "dev")
    assert refused.value.exit_code is ExitCode.CONFIGURATION


WATCHED = """
import os
import sys
from pathlib import Path
from palisade.config import fleet_of, load_configuration
from palisade.errors import ConfigurationError
from palisade.project import Project

def watch(event, arguments):
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    looks = event in {"os.listdir", "os.scandir"}
    if writes or event.startswith(("subprocess", "socket", "os.", "shutil")) and not looks:
        print(event, arguments)

sys.addaudithook(watch)
try:
    fleet_of(load_configuration(Project(root=Path(sys.argv[1])), "dev"))
except ConfigurationError:
    pass
"""


@pytest.mark.parametrize("exposure", ["dmz", "public"])
def test_loading_writes_nothing_starts_nothing_and_calls_nobody(exposure: str, write_project: WriteProject) -> None:
    project = write_project(changed(("exposure", exposure)))
    watched = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED, str(project.root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT_ROOT,
    )
    assert watched.stdout == ""
