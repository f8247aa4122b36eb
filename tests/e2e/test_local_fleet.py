"""A real fleet of its own name and network: started, broken in every way that a user can, and removed without a trace.

Needs root and the Debian packages of ``palisade.local.programs``. The tests use one fleet and run in this order.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from palisade.local.engine import Engine
from palisade.local.image import HostImage
from palisade.local.lock import exclusive
from palisade.local.mounts import MOUNTS, parse_mounts
from palisade.local.places import RUNTIME_DIRECTORY, Places

REPOSITORY = Path(__file__).resolve().parents[2]
ENVIRONMENT = "fleet-test"
NETWORK = "10.79.0"

CONFIGURATION = """
config:
  palisade:fleet:
    local: {{memory_mib: 512, disk_gib: 2}}
    exposure: internal
    traffic: {{peak_rps: 1000, average_rps: 300}}
    networks:
      fleet: {network}.0/24
      operators: [{network}.1/32]
      clients: [{network}.0/24]
    hosts:
      - {{name: bastion-1, group: bastion, address: {network}.10}}
      - {{name: registry-1, group: registry, address: {network}.{registry}}}
    database: {{allowed_sources: [{network}.0/24]}}
    registry: {{minimum_nodes: 1}}
    images: {{}}
    data_classes: {{audit: {{allowed_regions: [local], region: local}}}}
"""


@dataclass(frozen=True)
class Result:
    status: int
    answer: str
    progress: str


@dataclass
class Bench:
    """A project, a home and the ``palisade`` command in them."""

    project: Path
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def configure(self, environment: str = ENVIRONMENT, *, registry: int = 21) -> None:
        text = CONFIGURATION.format(network=NETWORK, registry=registry)
        (self.project / f"Pulumi.{environment}.yaml").write_text(text, encoding="utf-8")

    def start(self, command: str, *arguments: str, environment: str = ENVIRONMENT) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "palisade", "local", command, "--environment", environment, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env=self.environment,
        )

    def run(self, *arguments: str, environment: str = ENVIRONMENT) -> Result:
        process = self.start(*arguments, environment=environment)
        answer, progress = process.communicate(timeout=120)
        return Result(process.returncode, answer, progress)

    def succeed(self, *arguments: str) -> Result:
        result = self.run(*arguments)
        assert result.status == 0, result.progress
        return result

    def host(self, name: str, *command: str) -> str:
        return subprocess.run(
            ["ssh", "-F", str(self.state / "ssh_config"), "-o", "ConnectTimeout=5", name, "--", *command],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        ).stdout.strip()

    def hosts(self) -> dict[str, dict[str, str]]:
        document = json.loads(self.succeed("status", "--output", "json").answer)
        return {row["host"]: row for row in document["hosts"]}

    @property
    def state(self) -> Path:
        return self.home / "state/palisade/fleets" / ENVIRONMENT

    @property
    def places(self) -> Places:
        digits = hashlib.sha256(bytes(self.state)).hexdigest()[:8]
        return Places(ENVIRONMENT, self.state, RUNTIME_DIRECTORY / f"{ENVIRONMENT}-{digits}", self.home)

    @property
    def engine(self) -> Engine:
        return Engine(self.places)


@pytest.fixture(scope="module", autouse=True)
def machine_before() -> dict[str, object]:
    return read_machine_traces()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("home")
    project = tmp_path_factory.mktemp("project")
    (project / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n", encoding="utf-8")
    (project / "images").symlink_to(REPOSITORY / "images")
    variables = {
        **os.environ,
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PYTHONPATH": str(REPOSITORY),
        "PALISADE_PROJECT": str(project),
    }
    bench = Bench(project=project, home=home, environment=variables)
    bench.configure()
    lend_built_image(home / "cache/palisade/images")
    yield bench
    bench.run("down", "--purge")


def lend_built_image(cache: Path) -> None:
    """An image that this user has built before is the same one: it saves 20 seconds."""
    source = REPOSITORY / "images/host"
    built = HostImage(source=source, cache=Path.home() / ".cache/palisade/images").archive
    if built.exists():
        cache.mkdir(parents=True)
        shutil.copyfile(built, HostImage(source=source, cache=cache).archive)


def read_machine_traces() -> dict[str, object]:
    def output(*command: str) -> str:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout

    settings = [Path("/proc/sys/net/ipv4/ip_forward"), *Path("/proc/sys/net/ipv4/conf").glob("*/forwarding")]
    for area in ("kernel", "vm", "fs"):
        settings.extend(path for path in Path("/proc/sys", area).iterdir() if path.is_file())
    counters = {
        "random",
        "ns_last_pid",
        "file-nr",
        "inode-nr",
        "inode-state",
        "dentry-state",
        "aio-nr",
        "compact_memory",
    }
    return {
        "packet filter": output("nft", "--stateless", "list", "ruleset"),
        "mounts": parse_mounts(MOUNTS.read_text(encoding="utf-8")),
        "interfaces": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "routes": output("ip", "route", "show", "table", "all"),
        "settings": {str(path): read_setting(path) for path in settings if path.name not in counters},
        "runtime": sorted(path.name for path in Path("/run").iterdir()),
        "processes": sorted(
            path.read_bytes().split(b"\0")[0].decode()
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if b"conmon" in path.read_bytes() or b"aardvark" in path.read_bytes()
        ),
    }


def read_setting(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"errno {error.errno}"


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(beginning):
            return
    pytest.fail(f"it ended before it said {beginning}")


def test_an_up_that_is_killed_at_any_step_leaves_something_that_the_next_up_completes(bench: Bench) -> None:
    for step in ("[2/5]", "[3/5]", "[4/5]", "[5/5]"):
        process = bench.start("up")
        wait_for_line(process, step)
        process.kill()
        process.communicate()
    bench.succeed("up")
    assert {row["state"] for row in bench.hosts().values()} == {"running"}


def test_the_other_hosts_are_reached_through_the_bastion_with_the_key_of_this_fleet(bench: Bench) -> None:
    assert bench.host("registry-1", "hostname") == "registry-1"
    assert bench.host("registry-1", "sudo", "id", "--user") == "0"
    assert bench.host("registry-1", "sh", "-c", "'echo $SSH_CONNECTION'").startswith(f"{NETWORK}.10 ")
    assert bench.succeed("shell", "registry-1", "--", "hostname").answer.strip() == "registry-1"
    assert (bench.state.stat().st_mode & 0o777, (bench.state / "id_ed25519").stat().st_mode & 0o777) == (0o700, 0o600)
    fleet = json.loads((bench.state / "fleet.json").read_text(encoding="utf-8"))
    assert fleet["ssh_config"] == str(bench.state / "ssh_config")


def test_a_second_up_changes_nothing(bench: Bench) -> None:
    hosts = bench.hosts()
    written = (bench.state / "fleet.json").read_bytes(), (bench.state / "ssh_config").read_bytes()
    assert "already up: bastion-1, registry-1" in bench.succeed("up").progress
    assert bench.hosts() == hosts
    assert ((bench.state / "fleet.json").read_bytes(), (bench.state / "ssh_config").read_bytes()) == written


def test_a_host_cannot_change_the_machine(bench: Bench, machine_before: dict[str, object]) -> None:
    for command in (
        ("sudo", "sysctl", "--write", "kernel.core_pattern=host"),
        ("sudo", "sysctl", "--write", "vm.swappiness=1"),
        ("sudo", "date", "--set=1 hour ago"),
        ("sudo", "sh", "-c", "'echo never > /sys/kernel/mm/transparent_hugepage/enabled'"),
    ):
        assert bench.host("registry-1", *command, "2>/dev/null", "||", "echo", "refused").endswith("refused"), command
    assert bench.host("registry-1", "sudo", "sysctl", "-w", "net.core.somaxconn=4097") == "net.core.somaxconn = 4097"
    before, now = machine_before["settings"], read_machine_traces()["settings"]
    assert isinstance(before, dict)
    assert isinstance(now, dict)
    assert {name for name in before if before[name] != now[name] and "/net/" not in name} == set()


def test_a_reboot_of_a_host_comes_back_by_itself(bench: Bench) -> None:
    before = bench.hosts()["registry-1"]["up_since"]
    bench.host("registry-1", "sudo", "touch", "/var/lib/kept", "&&", "sudo", "systemctl", "reboot")
    bench.succeed("up")
    while bench.hosts()["registry-1"]["up_since"] in {before, None}:
        pass
    bench.succeed("up")
    assert bench.host("registry-1", "ls", "/var/lib/kept") == "/var/lib/kept"


def test_a_reboot_of_the_machine_is_followed_by_an_up_with_the_same_disks(bench: Bench) -> None:
    simulate_reboot(bench)
    assert {row["state"] for row in bench.hosts().values()} == {"down"}
    assert "started again: bastion-1, registry-1" in bench.succeed("up").progress
    assert bench.host("registry-1", "ls", "/var/lib/kept") == "/var/lib/kept"


def simulate_reboot(bench: Bench) -> None:
    """Stop everything and forget what only lasts until a reboot, as an empty ``/run`` does."""
    bench.engine.run("stop", "--all", "--time=0")
    with exclusive(RUNTIME_DIRECTORY.with_suffix(".lock"), waiting=lambda _: None):
        ledger = RUNTIME_DIRECTORY / "machine.json"
        document = json.loads(ledger.read_text(encoding="utf-8"))
        document["fleets"].remove(bench.places.runtime.name)
        ledger.write_text(json.dumps(document), encoding="utf-8")


def test_a_second_up_waits_for_the_first_and_ctrl_c_ends_the_waiting(bench: Bench) -> None:
    with exclusive(bench.state.with_name(f"{ENVIRONMENT}.lock"), waiting=lambda _: None):
        impatient, patient = bench.start("up"), bench.start("up")
        for process in (impatient, patient):
            wait_for_line(process, f"Another palisade local works on the fleet {ENVIRONMENT} (process {os.getpid()})")
        impatient.send_signal(signal.SIGINT)
        assert impatient.wait(timeout=10) == 130
        impatient.communicate()
        assert patient.poll() is None
    patient.communicate(timeout=30)
    assert patient.returncode == 0


def test_a_changed_configuration_is_neither_ignored_nor_applied(bench: Bench) -> None:
    hosts = bench.hosts()
    bench.configure(registry=22)
    refused = bench.run("up")
    bench.configure()
    assert refused.status == 3
    assert "made from another configuration, image or key: registry-1" in refused.progress
    assert f"palisade local down --environment {ENVIRONMENT} && palisade local up" in refused.progress
    assert bench.hosts() == hosts
    assert bench.host("registry-1", "hostname") == "registry-1"


def test_a_network_that_is_in_use_is_refused_before_anything_is_started(bench: Bench) -> None:
    bench.configure("neighbour")
    refused = bench.run("up", environment="neighbour")
    assert refused.status == 4
    assert f"The fleet's network {NETWORK}.0/24 overlaps {NETWORK}.0/24, which this machine uses on palisade-" in (
        refused.progress
    )
    assert not bench.state.with_name("neighbour").exists()


def test_only_root_may(bench: Bench) -> None:
    # The interpreter and the modules may be where only root reads: they are loaded before root's rights are given up.
    program = """
import os, sys
import palisade.__main__, palisade.commands.local
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.argv = ["palisade", "local", *sys.argv[1:]]
palisade.__main__.main()
"""
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory)
        project.chmod(0o755)
        for name in ("Pulumi.yaml", f"Pulumi.{ENVIRONMENT}.yaml"):
            shutil.copyfile(bench.project / name, project / name)
        for command in ("up", "down", "status"):
            refused = subprocess.run(
                [sys.executable, "-c", program, command, "--environment", ENVIRONMENT],
                capture_output=True,
                text=True,
                check=False,
                env={
                    **bench.environment,
                    "PALISADE_PROJECT": directory,
                    "XDG_STATE_HOME": f"{directory}/state",
                    "XDG_CACHE_HOME": f"{directory}/cache",
                },
            )
            assert refused.returncode == 4, refused.stderr
            assert "root" in refused.stderr
            assert sorted(path.name for path in project.iterdir()) == [f"Pulumi.{ENVIRONMENT}.yaml", "Pulumi.yaml"]


def test_down_leaves_no_trace_and_can_be_repeated(bench: Bench, machine_before: dict[str, object]) -> None:
    bench.succeed("down")
    assert traces_since(machine_before) == {}
    assert sorted(path.name for path in bench.state.iterdir()) == ["engine"]
    status = json.loads(bench.succeed("status", "--output", "json").answer)
    assert status["state"] == "down"
    assert bench.run("shell", "registry-1").status == 5
    bench.succeed("down")


def test_hosts_that_were_killed_from_outside_are_named_and_removed_without_a_trace(
    bench: Bench, machine_before: dict[str, object]
) -> None:
    bench.succeed("up")
    first_process = bench.engine.query("inspect", "registry-1")[0]["State"]
    for process in (first_process["ConmonPid"], first_process["Pid"]):
        os.kill(process, signal.SIGKILL)
    refused = bench.run("up")
    assert refused.status == 5
    assert "Killed from outside, and lost to the engine: registry-1." in refused.progress
    bench.succeed("down", "--purge")
    assert traces_since(machine_before) == {}
    assert not bench.state.exists()
    assert list((bench.home / "cache").rglob("*.tar")) == []


def traces_since(before: dict[str, object]) -> dict[str, object]:
    now = read_machine_traces()
    return {name: (before[name], now[name]) for name in now if now[name] != before[name]}
