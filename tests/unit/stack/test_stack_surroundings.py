"""What a shell gets, tried in a shell; the passphrase of a local state."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from palisade.stack.model import Stack, local_state_directory
from palisade.stack.surroundings import prepare_local_state, surroundings


def in_shell(lines: list[str], question: str) -> str:
    script = "\n".join([*lines, question])
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(["sh", "-euc", script], env=environment, capture_output=True, text=True, check=True).stdout


def test_a_shell_takes_every_line_whatever_is_in_it(stack: Stack) -> None:
    odd = replace(stack, backend="file:///a b/$(touch x)'\"", kubeconfig=Path("/k u/`id`"))
    lines = surroundings(odd).shell_lines()
    assert in_shell(lines, 'printf "%s|%s" "$PULUMI_BACKEND_URL" "$KUBECONFIG"') == f"{odd.backend}|{odd.kubeconfig}"


def test_the_passphrase_file_wins_over_a_passphrase_of_the_shell(stack: Stack) -> None:
    question = 'printf "%s|%s" "${PULUMI_CONFIG_PASSPHRASE-none}" "$PULUMI_CONFIG_PASSPHRASE_FILE"'
    lines = ["export PULUMI_CONFIG_PASSPHRASE=other", *surroundings(stack).shell_lines()]
    said = in_shell(lines, question)
    assert said == f"none|{local_state_directory() / 'passphrase'}"


def test_a_started_process_gets_the_same(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of the shell")
    applied = surroundings(stack).applied()
    assert "PULUMI_CONFIG_PASSPHRASE" not in applied
    assert applied["PULUMI_BACKEND_URL"] == stack.backend
    assert applied["HOME"] == os.environ["HOME"]


def test_programs_come_first_on_path_and_only_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    directories = [Path("/p q/bin"), Path("/tools")]
    monkeypatch.setenv("PATH", "/usr/bin:/tools:/bin")
    first = surroundings(stack, directories).variables["PATH"]
    assert first == "/p q/bin:/tools:/usr/bin:/bin"
    monkeypatch.setenv("PATH", first)
    assert surroundings(stack, directories).variables["PATH"] == first


def test_other_stacks_keep_their_own_login_and_passphrase(stack: Stack) -> None:
    elsewhere = replace(stack, is_local=False, backend=None, files=None)
    found = surroundings(elsewhere)
    assert found.variables == {"PULUMI_SKIP_UPDATE_CHECK": "true"}
    assert found.removed == ()
    prepare_local_state(elsewhere)
    assert not local_state_directory().exists()


def test_only_the_user_can_read_the_passphrase_and_it_stays(stack: Stack) -> None:
    file = local_state_directory() / "passphrase"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: prepare_local_state(stack), range(8)))
    passphrase = file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len(passphrase.strip()) >= 43  # 256 bits
    prepare_local_state(stack)
    assert file.read_text() == passphrase


def test_two_users_have_different_passphrases(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_local_state(stack)
    first = (local_state_directory() / "passphrase").read_text()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    prepare_local_state(stack)
    assert (local_state_directory() / "passphrase").read_text() != first
