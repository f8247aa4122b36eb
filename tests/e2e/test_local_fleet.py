"""A real fleet of its own name and network: started, broken in every way that a user can, and removed without a trace.

Needs root and the Debian packages of ``palisade.local.programs``. The tests use one fleet and run in this order.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from palisade.local import cgroups
from palisade.local.engine import Engine
from palisade.local.image import HostImage
from palisade.local.lock import exclusive
from palisade.local.places import RUNTIME_DIRECTORY, Places
from palisade.project import cache_directory

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
ENVIRONMENT = "fleet-test"
NETWORK = "10.79.0"

# What this machine's own fleets have mounted there.
CLEAR = "umount --recursive --lazy /run/netns 2>/dev/null || true\n"
RUN = "mount -t tmpfs tmpfs /run"
# The machine has rules of its own in the very tables that hosts need.
BOOT = f"""
{RUN}
mkdir -p /run/mount
ip link set lo up
echo 0 > /proc/sys/net/ipv4/ip_forward
iptables -N MINE
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
nft add table inet mine
nft add chain inet mine input "{{ type filter hook input priority 0; policy accept; }}"
"""

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


@dataclass(frozen=True)
class Bench:
    """A machine of the test's own (network, mounts and ``/run``; the kernel is shared) with a project and a home on it.

    Nothing that other fleets on this machine do is seen there, so that what is left can be compared to the letter.
    """

    holder: int
    project: Path
    home: Path
    environment: dict[str, str]

    def on_machine(self, *command: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self.holder}", "--net", "--mount", f"--wdns={self.project}", "--", *command)

    def start(self, command: str, *arguments: str, environment: str = ENVIRONMENT) -> subprocess.Popen[str]:
        palisade = (sys.executable, "-m", "palisade", "local", command, "--environment", environment, *arguments)
        return subprocess.Popen(
            self.on_machine(*palisade),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            # A shell that runs the tests in the background has its children ignore Ctrl-C, and theirs.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )

    def run(self, command: str, *arguments: str, environment: str = ENVIRONMENT) -> Result:
        process = self.start(command, *arguments, environment=environment)
        answer, progress = process.communicate(timeout=120)
        return Result(process.returncode, answer, progress)

    def succeed(self, command: str, *arguments: str) -> Result:
        result = self.run(command, *arguments)
        assert result.status == 0, result.progress
        return result

    def output(self, *command: str) -> str:
        answer = subprocess.run(
            self.on_machine(*command), stdout=subprocess.PIPE, text=True, check=False, timeout=60, env=self.environment
        )
        return answer.stdout.strip()

    def host(self, name: str, *command: str) -> str:
        return self.output("ssh", "-F", str(self.state / "ssh_config"), "-o", "ConnectTimeout=5", name, "--", *command)

    def hosts(self) -> dict[str, dict[str, str]]:
        document = json.loads(self.succeed("status", "--output", "json").answer)
        return {row["host"]: row for row in document["hosts"]}

    def traces(self) -> dict[str, list[str]]:
        traces: dict[str, list[str]] = json.loads(
            self.output(sys.executable, str(HERE / "machine_traces.py"), self.places.network)
        )
        commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        return {**traces, "processes": [str(command) for command in commands if bytes(self.home) in command]}

    def traces_since(self, before: dict[str, list[str]]) -> dict[str, list[str]]:
        now = self.traces()
        differences = {name: difflib.ndiff(before[name], now[name]) for name in now}
        changed = {name: [line for line in lines if line[0] in "+-"] for name, lines in differences.items()}
        return {name: lines for name, lines in changed.items() if lines}

    def configure(self, environment: str = ENVIRONMENT, *, registry: int = 21) -> None:
        text = CONFIGURATION.format(network=NETWORK, registry=registry)
        (self.project / f"Pulumi.{environment}.yaml").write_text(text, encoding="utf-8")

    def reboot(self, before: dict[str, list[str]], *, run_in_memory: bool) -> None:
        """What a reboot does: every process ends at once, mounts, links and rules are gone, ``/run`` may be empty."""
        network = Path(f"/proc/{self.holder}/ns/net").readlink()
        here = [path.parent.parent for path in Path("/proc").glob("[0-9]*/ns/net") if link(path) == network]
        processes = {int(path.name) for path in here} - {self.holder}
        for path in here:
            processes |= {int(child) for child in (path / "task" / path.name / "children").read_text().split()}
        for process in processes - {self.holder}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        mounts = self.traces()["mounts"]
        for point in reversed(mounts[len(before["mounts"]) :]):
            self.output("umount", "--lazy", point)
        self.output("ip", "link", "delete", self.places.network)
        cgroups.remove(self.places.network)
        self.output("nft", "flush", "ruleset")
        if run_in_memory:
            self.output("umount", "/run")
        else:
            ledger = Path(f"/proc/{self.holder}/root{RUNTIME_DIRECTORY}/machine.json")
            document = json.loads(ledger.read_text(encoding="utf-8"))
            ledger.write_text(json.dumps({**document, "boot": "an earlier one"}), encoding="utf-8")
        self.output("sh", "-euc", BOOT if run_in_memory else BOOT.replace(RUN, ""))

    @property
    def state(self) -> Path:
        return self.home / "state/palisade/fleets" / ENVIRONMENT

    @property
    def places(self) -> Places:
        digits = hashlib.sha256(bytes(self.state)).hexdigest()[:8]
        return Places(ENVIRONMENT, self.state, RUNTIME_DIRECTORY / f"{ENVIRONMENT}-{digits}", self.home)

    @property
    def engine_command(self) -> tuple[str, ...]:
        engine = Engine(self.places)
        return ("env", *(f"{name}={value}" for name, value in engine.environment.items()), *engine.arguments)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    home = tmp_path_factory.mktemp("home")
    project = tmp_path_factory.mktemp("project")
    (project / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n", encoding="utf-8")
    (project / "images").symlink_to(REPOSITORY / "images")
    lend_built_image(home / "cache/palisade/images")
    variables = {
        **os.environ,
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PYTHONPATH": str(REPOSITORY),
        "PALISADE_PROJECT": str(project),
    }
    with subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-euc", f"{CLEAR}{BOOT}echo ready\nread end"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        bench = Bench(holder=holder.pid, project=project, home=home, environment=variables)
        bench.configure()
        yield bench
        bench.run("down", "--purge")
        holder.stdin.close()


@pytest.fixture(scope="module", autouse=True)
def before(bench: Bench) -> dict[str, list[str]]:
    return bench.traces()


def lend_built_image(cache: Path) -> None:
    """An image that this user has built before is the same one: it saves 20 seconds."""
    source = REPOSITORY / "images/host"
    built = HostImage(source=source, cache=cache_directory() / "images")
    built.build()
    cache.mkdir(parents=True)
    shutil.copyfile(built.archive, HostImage(source=source, cache=cache).archive)


def link(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None


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


def test_a_host_cannot_change_the_machine(bench: Bench, before: dict[str, list[str]]) -> None:
    for command in (
        ("sudo", "sysctl", "--write", "kernel.core_pattern=host"),
        ("sudo", "sysctl", "--write", "vm.swappiness=1"),
        ("sudo", "date", "--set='1 hour ago'"),
        ("sudo", "sh", "-c", "'echo never > /sys/kernel/mm/transparent_hugepage/enabled'"),
    ):
        assert bench.host("registry-1", *command, "2>/dev/null", "||", "echo", "refused").endswith("refused"), command
    assert bench.host("registry-1", "sudo", "sysctl", "-w", "net.core.somaxconn=4097") == "net.core.somaxconn = 4097"
    changed = set(bench.traces()["settings"]) ^ set(before["settings"])
    assert {setting for setting in changed if not setting.startswith("/proc/sys/net/")} == set()


def test_a_reboot_of_a_host_comes_back_by_itself(bench: Bench) -> None:
    before = bench.hosts()["registry-1"]["up_since"]
    bench.host("registry-1", "sudo", "touch", "/var/lib/kept", "&&", "sudo", "systemctl", "reboot")
    bench.succeed("up")
    while bench.hosts()["registry-1"]["up_since"] in {before, None}:
        pass
    bench.succeed("up")
    assert bench.host("registry-1", "ls", "/var/lib/kept") == "/var/lib/kept"


@pytest.mark.parametrize("run_in_memory", [True, False], ids=["/run in memory", "/run on disk"])
def test_a_reboot_of_the_machine_is_followed_by_an_up_with_the_same_disks(
    bench: Bench, before: dict[str, list[str]], *, run_in_memory: bool
) -> None:
    bench.reboot(before, run_in_memory=run_in_memory)
    assert {row["state"] for row in bench.hosts().values()} == {"down"}
    assert "started again: bastion-1, registry-1" in bench.succeed("up").progress
    assert bench.host("registry-1", "ls", "/var/lib/kept") == "/var/lib/kept"


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


def test_down_leaves_no_trace_and_can_be_repeated(bench: Bench, before: dict[str, list[str]]) -> None:
    bench.succeed("down")
    assert json.dumps(bench.traces_since(before)) == "{}"
    assert sorted(path.name for path in bench.state.iterdir()) == ["engine"]
    status = json.loads(bench.succeed("status", "--output", "json").answer)
    assert status["state"] == "down"
    assert bench.run("shell", "registry-1").status == 5
    bench.succeed("down")


def test_hosts_that_were_killed_from_outside_are_named_and_removed_without_a_trace(
    bench: Bench, before: dict[str, list[str]]
) -> None:
    bench.succeed("up")
    first_process = json.loads(bench.output(*bench.engine_command, "inspect", "registry-1"))[0]["State"]
    for process in (first_process["ConmonPid"], first_process["Pid"]):
        os.kill(process, signal.SIGKILL)
    refused = bench.run("up")
    assert refused.status == 5
    assert "Killed from outside, and lost to the engine: registry-1." in refused.progress
    bench.succeed("down", "--purge")
    assert json.dumps(bench.traces_since(before)) == "{}"
    assert not bench.state.exists()
    assert list((bench.home / "cache").rglob("*.tar")) == []
