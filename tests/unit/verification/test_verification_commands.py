"""``palisade verify`` and ``palisade prove`` as they are typed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner
from verification_sample import a_fleet

from palisade.__main__ import application
from palisade.errors import ExitCode, PalisadeError
from palisade.fleet import HostGroup
from palisade.verification.backend import SessionLostError
from palisade.verification.connections import Connections

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
    return port


def refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int, *arguments: str) -> PalisadeError:
    """The error of a command that is given a fleet whose one host does not answer."""
    fleet = a_fleet(registry_1=HostGroup.REGISTRY)
    address = {"address": "127.0.0.1", "ssh_port": port}
    fleet = fleet.model_copy(update={"hosts": (fleet.hosts[0].model_copy(update=address),)})
    saved = tmp_path / "fleet.json"
    saved.write_text(fleet.to_json(), encoding="utf-8")
    monkeypatch.setenv("PALISADE_FLEET_FILE", str(saved))
    monkeypatch.setenv("PALISADE_PROJECT", str(ROOT))
    result = CliRunner().invoke(application, list(arguments))
    assert isinstance(result.exception, PalisadeError), result.output
    return result.exception


def test_a_host_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int
) -> None:
    error = refused(monkeypatch, tmp_path, closed_port, "verify", "local")
    assert error.exit_code is ExitCode.EXTERNAL
    assert "The host registry-1 cannot be verified" in error.problem
    assert "Connection refused" in error.problem
    assert error.remedy is not None
    assert "palisade local up" in error.remedy


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("verify", "local", "--host", "registry-9"), "There is no host 'registry-9'."),
        (("verify", "local", "--control", "ssh-cypers"), "There is no control 'ssh-cypers'."),
        (("prove", "local", "--control", "ssh-cypers"), "There is no control 'ssh-cypers'."),
        (("prove", "prod"), "prod is not a local fleet, and a proof breaks its hosts on purpose."),
    ],
)
def test_refused_before_a_host_is_touched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed_port: int, arguments: tuple[str, ...], problem: str
) -> None:
    error = refused(monkeypatch, tmp_path, closed_port, *arguments)
    assert (error.problem, error.exit_code) == (problem, ExitCode.USAGE)


def test_a_session_that_cannot_be_opened_says_why(closed_port: int) -> None:
    fleet = a_fleet(registry_1=HostGroup.REGISTRY)
    address = {"address": "127.0.0.1", "ssh_port": closed_port}
    fleet = fleet.model_copy(update={"hosts": (fleet.hosts[0].model_copy(update=address),)})
    with (
        Connections(fleet) as connections,
        pytest.raises(SessionLostError, match=r"session to registry-1 was lost: .*Connection refused"),
    ):
        connections.host("registry-1").run("true")
