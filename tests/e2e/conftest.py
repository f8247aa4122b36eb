"""The hardened local fleet that the tests of this folder share, and the commands that a user types."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from machine_traces import traces
from rendered_cluster import RenderedCluster, rendered_cluster

from palisade.fleet import Fleet, load_fleet
from palisade.local.places import Places
from palisade.project import fleet_state_directory
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = "local"
LOGIN_PAUSE = 0.5
"""Seconds between two attempts to log in: hosts limit how many come."""

FIRST = "test_local_fleet.py"
"""Its fleets have no cluster: it goes ahead while the programs of the cluster are being built."""
LATER = {"test_access_path.py": "test_collection.py, and then this"}
"""Where it stands among the names: the pods take a minute or two to know a new API, and other tests need none."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the order of the files but for one that can go ahead, and one that would only wait."""
    items.sort(key=lambda item: (item.path.name != FIRST, LATER.get(item.path.name, item.path.name)))


def run(
    *command: str, seconds: float = 600, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout as a user would; the output is kept for the assertion's message."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", **(variables or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@dataclass(frozen=True)
class Recap:
    """One line of ``PLAY RECAP``."""

    ok: int
    changed: int
    unreachable: int
    failed: int


def recap(output: str) -> dict[str, Recap]:
    """What a playbook run says of each host at its end."""
    lines = re.findall(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", output, re.MULTILINE)
    return {name: Recap(*map(int, figures)) for name, *figures in lines}


def playbook(*arguments: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """``ansible-playbook -i inventories/local`` with the names of playbooks and more arguments."""
    return run("ansible-playbook", "-i", f"inventories/{ENVIRONMENT}", *arguments, seconds=seconds)


def harden(*arguments: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    """``ansible-playbook -i inventories/local harden.yml`` with more arguments."""
    return playbook("harden.yml", *arguments, seconds=seconds)


def on_host(host: str, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command on a host over a new SSH connection, as the login user."""
    configuration = fleet_state_directory(ENVIRONMENT) / "ssh_config"
    return run(
        "ssh",
        "-F",
        str(configuration),
        "-o",
        "ConnectTimeout=5",
        "-o",
        "BatchMode=yes",
        host,
        *command,
        seconds=seconds,
    )


def boot(host: str) -> str:
    """Which start of the host this is; empty while nobody can log in (the kernel's boot id is the machine's)."""
    return on_host(host, "systemctl show --property=UserspaceTimestampMonotonic --value").stdout.strip()


def reboot(host: str, before: str = "true", *, seconds: float = 90) -> None:
    """Reboot a host, after a command in it, and wait until somebody can log in to the new start.

    Raises:
        AssertionError: nobody can within the time.
    """
    old = boot(host)
    assert old, f"{host} cannot be reached before its reboot"
    on_host(host, f"{before} && sudo systemctl --no-block reboot")
    wait_until(lambda: boot(host) not in {"", old}, f"{host} lets nobody in", seconds, pause=LOGIN_PAUSE)


def play(*playbooks: str) -> None:
    """Run playbooks on every host of theirs; they must succeed."""
    finished = playbook(*playbooks, seconds=1200)
    assert finished.returncode == 0, finished.stdout[-4000:]


def answer(*arguments: str, seconds: float = 600) -> str:
    """What a ``palisade`` command that must succeed prints."""
    finished = run("palisade", *arguments, seconds=seconds)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    return finished.stdout


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    """The local fleet as ``make up`` leaves it; removed afterwards unless it was there before.

    On a machine where nothing is built yet the first command builds Kubernetes.
    """
    status = run("palisade", "local", "status", "--output", "json")
    was_up = status.returncode == 0 and json.loads(status.stdout).get("state") == "up"
    started = run("palisade", "local", "up", seconds=3000)
    assert started.returncode == 0, started.stderr
    play("harden.yml", "playbooks/vault.yml")
    answer("vault", "apply", ENVIRONMENT)
    play("playbooks/data.yml")
    answer("secrets", "apply", ENVIRONMENT)
    answer("bundle", "build", ENVIRONMENT)
    answer("stack", "init", ENVIRONMENT)
    answer("stack", "up", ENVIRONMENT, "--recover", "--yes", "--skip-preview", seconds=1200)
    published = run("make", "example", seconds=600)
    assert published.returncode == 0, published.stdout[-3000:] + published.stderr[-3000:]
    yield load_fleet(fleet_state_directory(ENVIRONMENT) / "fleet.json")
    if not was_up:
        removed = run("palisade", "local", "down")
        assert removed.returncode == 0, removed.stderr
        assert left_of_the_fleet() == {}


def left_of_the_fleet() -> dict[str, list[str]]:
    """What the machine still has of the fleet, by area; only the engine's images may stay, for the next start.

    Tests that run beside these change the machine, too, so this looks for the fleet's own names. That the machine is as
    it was before, line by line, is compared in test_local_fleet.py, on a network of its own.
    """
    places = Places.of(ENVIRONMENT)
    names = (places.network, places.digits, str(places.state))
    found = {
        area: [line for line in lines if any(name in line for name in names)]
        for area, lines in traces(places.network).items()
    }
    found["state"] = [str(path) for path in places.state.glob("*") if path != places.engine]
    return {area: lines for area, lines in found.items() if lines}


@pytest.fixture(scope="session")
def rendered() -> Iterator[RenderedCluster]:
    """A real API server with what the stack of prod declares."""
    with rendered_cluster() as made:
        yield made
