"""Secrets of a stack under a Transit key of a real OpenBao: no plaintext is kept, and without the key nobody reads."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from palisade.project import Project
from palisade.stack.failures import failure
from palisade.stack.model import Stack
from palisade.stack.programs import program_directories
from tests.openbao_server import ON_DISK, OpenBao, openbao_server

ROOT = Path(__file__).resolve().parents[2]
KEY = "palisade-prod"
"""The Transit key; its name is the one in ``hashivault://palisade-prod``."""
SECRET = "correct-horse-battery-staple"  # noqa: S105 - looked for where it must not be
FIRST_PASSPHRASE = "until-there-is-a-key"  # noqa: S105
PULUMI_POLICY = "\n".join(
    f'path "transit/{action}/{KEY}" {{ capabilities = ["update"] }}' for action in ("encrypt", "decrypt")
)
"""All that Pulumi needs; docs/state.md says the same."""
PROGRAM = """
import pulumi
pulumi.export("password", pulumi.Config("sample").require_secret("password"))
"""


@dataclass
class Workplace:
    """A Pulumi project with its state in files, and the secrets server."""

    directory: Path
    bao: OpenBao
    token: str

    def pulumi(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.directory / "project",
            env={**os.environ, **self._variables(), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _variables(self) -> Mapping[str, str]:
        directories = map(str, program_directories(Project(ROOT)))
        return {
            "PATH": os.pathsep.join([*directories, os.environ["PATH"]]),
            "PULUMI_BACKEND_URL": f"file://{self.directory / 'state'}",
            "PULUMI_HOME": str(self.directory / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            **self.bao.variables(self.token),
        }

    def files_with(self, text: str) -> list[str]:
        kept = (self.directory / place for place in ("project", "state", "home"))
        files = (file for place in kept for file in place.rglob("*") if file.is_file())
        return sorted(str(file) for file in files if text.encode() in file.read_bytes())

    def configuration(self, stack: str) -> Mapping[str, object]:
        text = (self.directory / "project" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
        return dict(yaml.safe_load(text))


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    directory = tmp_path_factory.mktemp("secrets")
    for place in ("project", "state", "home", "bao"):
        (directory / place).mkdir()
    (directory / "project/Pulumi.yaml").write_text("name: sample\nruntime: python\n", encoding="utf-8")
    (directory / "project/__main__.py").write_text(PROGRAM, encoding="utf-8")
    with openbao_server(directory / "bao", ON_DISK) as bao:
        bao.ask("POST", "sys/mounts/transit", type="transit")
        bao.ask("POST", f"transit/keys/{KEY}")
        bao.ask("PUT", "sys/policies/acl/pulumi", policy=PULUMI_POLICY)
        yield Workplace(directory, bao, token=bao.new_token("pulumi"))


@pytest.fixture(scope="module")
def stack(workplace: Workplace) -> Workplace:
    """With the stack `prod`, whose secret has been through `pulumi up`."""
    for arguments in (
        ["stack", "init", "prod", f"--secrets-provider=hashivault://{KEY}"],
        ["config", "set", "--stack", "prod", "--secret", "password", SECRET],
        ["up", "--stack", "prod", "--yes", "--skip-preview"],
    ):
        done = workplace.pulumi(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return workplace


def test_the_stack_names_its_key_and_keeps_no_plaintext(stack: Workplace) -> None:
    configuration = stack.configuration("prod")
    assert configuration["secretsprovider"] == f"hashivault://{KEY}"
    assert set(configuration) == {"secretsprovider", "encryptedkey", "config"}
    assert stack.files_with(SECRET) == []
    assert stack.files_with(stack.token) == []
    assert any(file.endswith("/stacks/sample/prod.json") for file in stack.files_with("hashivault"))


def test_who_may_use_the_key_reads_the_secret(stack: Workplace) -> None:
    read = stack.pulumi("stack", "output", "password", "--show-secrets", "--stack", "prod")
    assert (read.stdout.strip(), read.returncode) == (SECRET, 0)


def test_after_a_rotation_the_old_version_of_the_key_can_be_retired(stack: Workplace) -> None:
    stack.bao.ask("POST", f"transit/keys/{KEY}/rotate")
    renewed = stack.pulumi("stack", "change-secrets-provider", f"hashivault://{KEY}", "--stack", "prod")
    assert renewed.returncode == 0, renewed.stderr
    stack.bao.ask("POST", f"transit/keys/{KEY}/config", min_decryption_version=2)
    assert stack.pulumi("config", "get", "password", "--stack", "prod").stdout.strip() == SECRET


@pytest.mark.parametrize(
    ("variables", "explained"),
    [
        ({"VAULT_TOKEN": "s.somebody-else"}, "The token may not use the key"),
        ({"VAULT_TOKEN": ""}, "The token may not use the key"),
        ({"VAULT_ADDR": "https://127.0.0.1:9"}, "cannot be asked"),
        ({"VAULT_ADDR": ""}, "its address is not set"),
        ({"VAULT_CACERT": ""}, "is not the one it should be"),
    ],
    ids=["another token", "no token", "no server", "no address", "a server that nobody vouches for"],
)
def test_who_may_not_use_the_key_is_told_why(stack: Workplace, variables: Mapping[str, str], explained: str) -> None:
    refused = stack.pulumi("config", "get", "password", "--stack", "prod", VAULT_MAX_RETRIES="0", **variables)
    assert refused.returncode != 0
    assert SECRET not in refused.stdout + refused.stderr
    assert explained in explanation(refused)


def test_a_sealed_server_is_named_as_the_reason(stack: Workplace) -> None:
    stack.bao.seal()
    try:
        refused = stack.pulumi("config", "get", "password", "--stack", "prod", VAULT_MAX_RETRIES="0")
    finally:
        stack.bao.unseal()
    assert refused.returncode != 0
    assert "is sealed; nothing was changed" in explanation(refused)


def explanation(refused: subprocess.CompletedProcess[str]) -> str:
    """What `palisade stack` says about what pulumi says."""
    stack = Stack(
        project=Project(ROOT),
        environment="prod",
        backend=None,
        secrets_provider=f"hashivault://{KEY}",
        is_local=False,
        files=None,
        kubeconfig=None,
    )
    return str(failure(refused.stderr, stack=stack, where="pulumi config get"))


def test_a_stack_with_a_passphrase_moves_to_the_key(workplace: Workplace) -> None:
    for arguments in (
        ["stack", "init", "staging", "--secrets-provider=passphrase"],
        ["config", "set", "--stack", "staging", "--secret", "password", SECRET],
        ["stack", "change-secrets-provider", f"hashivault://{KEY}", "--stack", "staging"],
    ):
        done = workplace.pulumi(*arguments, PULUMI_CONFIG_PASSPHRASE=FIRST_PASSPHRASE)
        assert done.returncode == 0, done.stdout + done.stderr
    assert workplace.pulumi("config", "get", "password", "--stack", "staging").stdout.strip() == SECRET
    assert "encryptionsalt" not in workplace.configuration("staging")
