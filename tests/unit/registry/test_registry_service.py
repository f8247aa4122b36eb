"""The registry as a systemd unit: told the same as in a pod, and bad settings are refused before a host is touched."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from palisade.__main__ import application
from palisade.registry.service import PASSWORD, USERNAME, ServiceSettings, heap_of, service_environment
from palisade.templates import TEMPLATES
from tests.unit.verification.ansible_play import played

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "roles/registry_service"
PASSWORD_OF_A_TEST = "abcdefghijklmnopqrst"  # noqa: S105 - nobody's


def test_a_pod_and_a_host_differ_in_heap_and_authority_only() -> None:
    pod = service_environment(ServiceSettings("10.0.0.1", "/etc/palisade/authority/ca.crt", "-XX:MaxRAMPercentage=55"))
    host = service_environment(ServiceSettings("10.0.0.1", "/etc/x/ca.crt", heap_of(768, 55)))
    assert {name for name in pod if pod[name] != host[name]} == {"APICURIO_DATASOURCE_URL", "JAVA_TOOL_OPTIONS"}
    assert "-Xmx422m " in host["JAVA_TOOL_OPTIONS"]
    assert not {USERNAME, PASSWORD} & set(host)


def test_the_command_names_the_database_of_the_environment_or_the_one_that_is_given() -> None:
    def asked(*more: str) -> str:
        arguments = ["registry", "settings", "molecule", "--authority", "/ca.crt", "--memory-mib", "768"]
        answered = CliRunner().invoke(application, [*arguments, "--output", "json", *more])
        assert answered.exit_code == 0, answered.output
        url: str = json.loads(answered.stdout)["environment"]["APICURIO_DATASOURCE_URL"]
        return url

    assert asked().startswith("jdbc:postgresql://10.78.0.31:5432/registry?sslmode=verify-full&sslrootcert=/ca.crt&")
    assert "&targetServerType=primary&" in asked(), "a server that replays a backup would be asked"
    assert asked("--database", "a").startswith("jdbc:postgresql://a:5432/registry?")


def test_the_host_has_the_java_of_the_image() -> None:
    lines = (ROOT / "images/apicurio-registry/packages").read_text().splitlines()
    own = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    assert own["registry_service_packages"] == [line for line in lines if not line.startswith("#")]
    java = yaml.safe_load((ROLE / "defaults/main.yml").read_text())["registry_service_java"]
    assert java in (ROOT / "images/apicurio-registry/Containerfile").read_text()


def test_the_login_is_handed_over_by_systemd_and_is_in_no_variable() -> None:
    unit = (TEMPLATES / "registry_service/registry-service.service.j2").read_text()
    login = (TEMPLATES / "registry_service/database.properties.j2").read_text()
    assert "LoadCredential=database.properties:" in unit
    assert "QUARKUS_CONFIG_LOCATIONS=%d/database.properties" in unit
    names = [name.lower().replace("_", ".") for name in (USERNAME, PASSWORD)]
    assert [line.split("=")[0] for line in login.splitlines() if line.startswith("apicurio")] == names


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"registry_service_environment": ""}, "registry_service_environment is empty"),
        (
            {"registry_service_archive": "/nowhere.tar.gz"},
            "registry_service_archive is /nowhere.tar.gz, which is no file",
        ),
        ({"registry_service_database": ""}, "registry_service_database is empty"),
        ({"registry_service_database": "db/1?x=y"}, "registry_service_database is db/1?x=y"),
        ({"registry_service_database_password": "short"}, "20 characters or more of printable ASCII"),
        ({"registry_service_database_password": "${" + PASSWORD_OF_A_TEST + "}"}, "without blanks, $ and"),
        ({"registry_service_memory_mib": 128}, "registry_service_memory_mib is 128"),
        ({"registry_service_heap_percent": 95}, "30 to 75 percent"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_settings_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    refused = preflight(tmp_path, changed)
    assert refused.returncode != 0
    assert message in " ".join(refused.stdout.split())
    assert PASSWORD_OF_A_TEST not in refused.stdout


def test_good_settings_are_not(tmp_path: Path) -> None:
    passed = preflight(tmp_path, {})
    assert passed.returncode == 0, passed.stdout


def preflight(directory: Path, changed: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """The role's preflight for a host that does not exist: whoever connected to it would fail."""
    (directory / "archive.tar.gz").touch()
    variables = {
        "registry_service_environment": "molecule",
        "registry_service_archive": str(directory / "archive.tar.gz"),
        "registry_service_database": "10.78.0.31",
        "registry_service_database_password": PASSWORD_OF_A_TEST,
        **changed,
    }
    role = {"name": "registry_service", "tasks_from": "preflight"}
    document = {"hosts": "all", "tasks": [{"ansible.builtin.include_role": role}]}
    return played(directory, document, "--extra-vars", json.dumps(variables), inventory="host.invalid,")
