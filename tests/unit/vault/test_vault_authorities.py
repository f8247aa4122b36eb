"""Who may have signed the certificate of the token issuer."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from palisade.commands.access import application
from palisade.config import FleetConfiguration, parse_configuration
from palisade.errors import PalisadeError
from palisade.local.certificates import Authority
from palisade.vault.access import vault_directory
from palisade.vault.authorities import issuer_authorities, issuer_ca_file, machine_authorities

PROJECT_ROOT = Path(__file__).resolve().parents[3]
LOGIN = {"issuer": "https://login.example.com", "jwks_uri": "https://10.60.0.9/keys"}
OF_VAULT = {"issuer": "https://vault.corp:8200/v1/identity/oidc", "jwks_uri": "https://vault.corp:8200/keys"}
OF_THE_HOST = {"issuer": "https://10.40.0.61:8200/oidc", "jwks_uri": "https://10.40.0.61:8200/keys"}
BESIDE_VAULT = {"issuer": "https://login.example.com", "jwks_uri": "https://vault.corp/keys"}
ELSEWHERE = {"address": "https://vault.corp:8200"}
VAULT = {**ELSEWHERE, "ca_file": "/vault.crt"}


def fleet(**sections: Any) -> FleetConfiguration:
    """Production, with these sections instead of its own."""
    document = yaml.safe_load((PROJECT_ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8"))
    sections = {name: value | {"networks": ["10.60.0.0/24"]} for name, value in sections.items()}
    return parse_configuration(document["config"]["palisade:fleet"] | sections, environment="prod", file="a test")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The file of an organisation."""
    Authority(tmp_path / "organisation", "the authority of an organisation")
    return tmp_path / "organisation/authority.crt"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that OpenSSL reads on this machine."""
    Authority(tmp_path / "public", "an authority that everybody trusts")
    path = tmp_path / "public/authority.crt"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ({}, "host"),
        ({"vault": ELSEWHERE}, "machine"),
        ({"vault": VAULT}, "/vault.crt"),
        ({"tokens": LOGIN}, "machine"),
        ({"tokens": LOGIN, "vault": VAULT}, "machine"),
        ({"tokens": LOGIN | {"ca_file": "/login.crt"}, "vault": VAULT}, "/login.crt"),
        ({"tokens": LOGIN | {"ca_file": "~/login.crt"}}, "~/login.crt"),
        ({"tokens": OF_VAULT, "vault": VAULT}, "/vault.crt"),
        ({"tokens": OF_THE_HOST, "vault": {"ca_file": "/vault.crt"}}, "/vault.crt"),
        ({"tokens": BESIDE_VAULT, "vault": VAULT}, "machine"),
    ],
)
def test_whose_file_it_is(sections: dict[str, Any], expected: str, machine: Path) -> None:
    named = {"machine": machine, "host": vault_directory("prod") / "hosts/vault-1/ca.crt"}
    assert issuer_ca_file(fleet(**sections)) == named.get(expected, Path(expected).expanduser())


def test_pods_believe_the_organisations_authority_and_nobody_else(authority: Path) -> None:
    said = issuer_authorities(fleet(tokens=LOGIN | {"ca_file": str(authority)}), "the root\n")
    assert said == authority.read_text(encoding="utf-8")


def test_without_a_file_pods_believe_the_root_and_whom_this_machine_trusts(machine: Path) -> None:
    assert issuer_authorities(fleet(tokens=LOGIN), "the root\n") == "the root\n" + machine.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_that_names_nobody_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "login.crt"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(PalisadeError) as refused:
        issuer_authorities(fleet(tokens=LOGIN | {"ca_file": str(path)}), "the root\n")
    assert (refused.value.where, refused.value.remedy) == (str(path), "correct tokens.ca_file in Pulumi.prod.yaml")


@pytest.mark.parametrize(
    ("sections", "key"), [({"vault": ELSEWHERE}, "vault.ca_file"), ({"tokens": LOGIN}, "tokens.ca_file")]
)
def test_on_a_machine_without_authorities_the_key_to_set_is_said(
    sections: dict[str, Any], key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "nowhere.crt"
    monkeypatch.setattr("palisade.vault.authorities.machine_authorities", lambda: nowhere)
    with pytest.raises(PalisadeError) as refused:
        issuer_authorities(fleet(**sections), "the root\n")
    assert (refused.value.where, refused.value.remedy) == (str(nowhere), f"set {key} in Pulumi.prod.yaml")


def test_where_openssl_names_no_file_it_is_debians(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = ssl.get_default_verify_paths()._replace(cafile=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    assert machine_authorities() == Path("/etc/ssl/certs/ca-certificates.crt")


def test_hosts_without_kubernetes_are_told_the_same_file(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALISADE_PROJECT", str(PROJECT_ROOT))
    monkeypatch.setenv("XDG_STATE_HOME", str(machine.parent))
    said = CliRunner().invoke(application, ["prod", "--kind", "host", "--output", "json"])
    assert json.loads(said.stdout)["issuer_authority"] == str(vault_directory("prod") / "hosts/vault-1/ca.crt")
