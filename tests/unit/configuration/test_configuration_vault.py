"""The section `vault`: what is refused, and where Vault is without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from configuration_samples import WriteProject, changed

from palisade.config import load_configuration
from palisade.errors import ConfigurationError
from palisade.vault.access import vault_address


@dataclass(frozen=True)
class Bad:
    path: str
    value: Any
    message: str


NAME = "lower-case letters, digits and -, a letter first"
URL = "https://NAME:PORT without a path"
BAD = (
    Bad("address", "http://vault.example:8200", f"'http://vault.example:8200' is not allowed.|{URL}"),
    Bad("address", "https://vault.example:8200/v1", f"'https://vault.example:8200/v1' is not allowed.|{URL}"),
    Bad("address", "vault.example", f"'vault.example' is not allowed.|{URL}"),
    Bad("ca_file", "ca.crt", "'ca.crt' is not allowed.|the path of a PEM file, absolute or from the home directory"),
    Bad("kubernetes_address", "10.0.0.1", f"'10.0.0.1' is not allowed.|{URL}"),
    Bad("domain", "*.palisade.internal", "'*.palisade.internal' is not allowed.|a DNS name without wildcard"),
    Bad("bind_to_addresses", "yes", "'yes' is not allowed.|true or false"),
    Bad("mounts.pki", "pki/", f"'pki/' is not allowed.|{NAME}"),
    Bad("mounts.pki", "", f"'' is not allowed.|{NAME}"),
    Bad("roles.workloads", "../root", f"'../root' is not allowed.|{NAME}"),
    Bad("keys.audit_digest", 7, f"7 is not allowed.|{NAME}"),
    Bad("cert_manager.audience", "two words", "'two words' is not allowed.|an audience without blanks"),
    Bad("token", "s.secret", "This key is not known.|address, networks, ca_file, kubernetes_address, domain"),
)


@pytest.mark.parametrize("bad", BAD, ids=[f"{bad.path} {bad.value}" for bad in BAD])
def test_a_bad_value_is_refused_with_its_path_and_what_is_allowed(bad: Bad, write_project: WriteProject) -> None:
    project = write_project(changed((f"vault.{bad.path}", bad.value)))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(project, "dev")
    said = str(refused.value)
    assert f"fleet.vault.{bad.path} (line " in said
    for part in bad.message.split("|"):
        assert part in said


def test_two_engines_at_one_path_are_refused(write_project: WriteProject) -> None:
    project = write_project(changed(("vault.mounts.pki", "pki-root")))
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(project, "dev")
    assert "pki-root is already the path of pki_root." in str(refused.value)
    assert "fleet.vault.mounts.pki (line " in str(refused.value)


def test_without_an_address_it_is_the_first_host_of_the_group(write_project: WriteProject) -> None:
    document = changed()
    document["hosts"].append({"name": "vault-1", "group": "vault", "address": "10.20.0.41"})
    assert vault_address(load_configuration(write_project(document), "dev")) == "https://10.20.0.41:8200"


def test_an_address_wins_over_the_host(write_project: WriteProject) -> None:
    document = changed(("vault.address", "https://vault.example:8200"))
    document["hosts"].append({"name": "vault-1", "group": "vault", "address": "10.20.0.41"})
    assert vault_address(load_configuration(write_project(document), "dev")) == "https://vault.example:8200"


def test_an_environment_without_vault_says_what_to_do(write_project: WriteProject) -> None:
    with pytest.raises(ConfigurationError) as refused:
        vault_address(load_configuration(write_project(changed()), "dev"))
    assert str(refused.value).splitlines() == [
        "error: dev has no Vault.",
        "where: Pulumi.dev.yaml: fleet.vault.address",
        "allowed: an address such as https://vault.example:8200, or a host of the group vault",
        "what to do: name your own Vault, or list a host for it",
    ]


def test_the_paths_of_files_are_read_as_written(write_project: WriteProject) -> None:
    configuration = load_configuration(write_project(changed(("vault.ca_file", "~/vault.crt"))), "dev")
    assert configuration.vault.ca_file == Path("~/vault.crt")
