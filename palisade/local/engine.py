"""Podman, with a storage and a configuration of its own: the user's containers are neither seen nor touched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from palisade.errors import PalisadeError
from palisade.local.machine import Machine
from palisade.local.network import definition
from palisade.local.places import Places
from palisade.local.processes import Finished, attempt, run, write_whole

SPECIFICATION_LABEL = "palisade.specification"
"""The label of a host that says what it was made from."""
FILES_LIMIT = 1_048_576
PROCESSES_LIMIT = 4_194_304
"""What podman asks for unless told (containers-common 4.3, containers.conf(5): default_ulimits)."""

REMOVAL_SECONDS = 30.0
"""How long removing the hosts may take; usually it takes one second."""
_LOOK_SECONDS = 0.05
_PROGRAMS = ("conmon\n", "podman\n")
"""Who works on a storage, as /proc has their names."""


@dataclass(frozen=True)
class FoundHost:
    """What the engine says about a host.

    Args:
        state: Podman's word (``running``, ``exited``, ``created`` ...), or ``dead``: its processes were killed from
            outside, together with the one that watches them for podman.
        specification: What it was made from.
        started: When it was last started; None if it never was.
    """

    state: str
    specification: str
    started: datetime | None


def configuration_text(machine: Machine, runtime_directory: str) -> str:
    """The engine's containers.conf for this machine.

    An ordinary machine (cgroup v2, limits that can be raised) gets podman's defaults. Where cgroup v1 is still mounted
    beside v2, only runc starts hosts; where the hard limits are lower than what podman asks for and cannot be raised,
    it has to ask for less.

    Args:
        machine: What was read of this machine.
        runtime_directory: Where the engine keeps what ends with this boot.
    """
    containers = []
    if not machine.may_raise_limits:
        limits = [
            f"{name}={value}:{value}"
            for name, value, wanted in (
                ("nofile", machine.files_limit, FILES_LIMIT),
                ("nproc", machine.processes_limit, PROCESSES_LIMIT),
            )
            if value < wanted
        ]
        if limits:
            containers.append(f"default_ulimits = {json.dumps(limits)}")
    # Locks in files of our own: the default is one shared memory segment for every storage on the machine.
    engine = ['lock_type = "file"', f"tmp_dir = {json.dumps(runtime_directory)}"]
    if not machine.cgroup_unified:
        engine += ['runtime = "runc"']
    if not machine.systemd:
        engine += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    sections = {"containers": containers, "network": ['network_backend = "netavark"'], "engine": engine}
    return "".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def storage_text(places: Places) -> str:
    """The engine's storage.conf: the same places as on its command line, so that no other file takes part."""
    return (
        "[storage]\n"
        'driver = "overlay"\n'
        f"graphroot = {json.dumps(str(places.engine / 'storage'))}\n"
        f"runroot = {json.dumps(str(places.runtime / 'storage'))}\n"
    )


@dataclass(frozen=True)
class Engine:
    """Podman for one fleet."""

    places: Places

    @property
    def arguments(self) -> tuple[str, ...]:
        """Podman and the options that keep this fleet to itself."""
        return (
            "podman",
            f"--root={self.places.engine / 'storage'}",
            f"--runroot={self.places.runtime / 'storage'}",
            f"--tmpdir={self.places.runtime / 'engine'}",
            f"--network-config-dir={self.places.engine / 'networks'}",
            "--storage-driver=overlay",
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that replace the machine's and the user's podman configuration."""
        return {
            "CONTAINERS_CONF": str(self.places.engine / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.places.engine / "storage.conf"),
        }

    @property
    def exists(self) -> bool:
        """Whether there is a storage at all."""
        return (self.places.engine / "storage").is_dir()

    def placement(self, machine: Machine) -> tuple[str, ...]:
        """Where hosts run: systemd gives each a scope and takes it back; without it they have a control group of ours.

        Args:
            machine: What was read of this machine.
        """
        return () if machine.systemd else (f"--cgroup-parent=/{self.places.network}",)

    def prepare(self, machine: Machine) -> None:
        """Make the directories and write the configuration for this machine."""
        for name in ("storage", "networks"):
            (self.places.engine / name).mkdir(parents=True, exist_ok=True)
        text = configuration_text(machine, str(self.places.runtime / "engine"))
        write_whole(self.places.engine / "containers.conf", text)
        write_whole(self.places.engine / "storage.conf", storage_text(self.places))

    def define_network(self, network: IPv4Network) -> None:
        """Write the definition of the fleet's network; its bridge appears with the first host."""
        text = json.dumps(definition(network, name=self.places.network), indent=2) + "\n"
        write_whole(self.places.engine / "networks" / f"{self.places.network}.json", text)

    def attempt(self, *arguments: str, text: str | None = None) -> Finished:
        """Run a podman command whose failure is an answer."""
        return attempt((*self.arguments, *arguments), text=text, environment=self.environment)

    def run(self, *arguments: str, text: str | None = None) -> str:
        """Run a podman command that must succeed.

        Raises:
            PalisadeError: it failed.
        """
        return run((*self.arguments, *arguments), text=text, environment=self.environment)

    def query(self, *arguments: str) -> Any:
        """Run a podman command that answers in JSON.

        Raises:
            PalisadeError: it failed.
        """
        return json.loads(self.run(*arguments) or "[]")

    def inside(self, host: str, command: Sequence[str]) -> Finished:
        """Run a command in a host without SSH, to find out why it cannot be reached.

        It enters the host's namespaces only. ``podman exec`` would also enter its control group, which systemd gives up
        in the host when it is executed anew beside cgroup v1.
        """
        process = str(self.query("inspect", "--type=container", host)[0]["State"]["Pid"])
        namespaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return attempt(("nsenter", "--target", process, *namespaces, "--", *command))

    def found_hosts(self) -> dict[str, FoundHost]:
        """The hosts that are there, by name.

        Raises:
            PalisadeError: podman failed.
        """
        return {
            entry["Names"][0]: FoundHost(
                state=host_state(str(entry["State"]), int(entry["Pid"])),
                specification=(entry["Labels"] or {}).get(SPECIFICATION_LABEL, ""),
                started=datetime.fromtimestamp(entry["StartedAt"], tz=UTC) if entry["StartedAt"] > 0 else None,
            )
            for entry in self.query("ps", "--all", "--format=json")
        }

    def remove_hosts(self) -> tuple[str, ...]:
        """Remove every host and its disk, also those that are half made or in a restart loop.

        Returns:
            The names of the hosts that were there.

        Raises:
            PalisadeError: a host is still there after :data:`REMOVAL_SECONDS`.
        """
        deadline = time.monotonic() + REMOVAL_SECONDS
        removed: set[str] = set()
        while names := {entry["Names"][0] for entry in self.query("ps", "--all", "--external", "--format=json")}:
            removed |= names
            # Podman refuses while a host in a restart loop is between two starts: ask again.
            answer = self.attempt("rm", "--force", "--volumes", "--time=0", *names)
            if not answer.succeeded and time.monotonic() > deadline:
                raise answer.failure(remedy="run the same command again")
        return tuple(sorted(removed))

    def wait_for_helpers(self) -> None:
        """Wait until podman has nothing left to do for hosts that were removed.

        Who watches a host starts ``podman container cleanup`` at its end, which nobody waits for (conmon(8),
        --exit-command); if the storage is gone by then, it makes an empty one.

        Raises:
            PalisadeError: it still works after :data:`REMOVAL_SECONDS`.
        """
        deadline = time.monotonic() + REMOVAL_SECONDS
        while helpers := self._helpers():
            if time.monotonic() > deadline:
                raise PalisadeError(
                    f"Podman still works on hosts that were removed: process {', '.join(helpers)}.",
                    where=str(self.places.engine),
                    remedy="run the same command again",
                )
            time.sleep(_LOOK_SECONDS)  # between two looks at the processes

    def _helpers(self) -> list[str]:
        storage = bytes(self.places.engine / "storage")
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = (process / "comm").read_text() in _PROGRAMS and storage in (process / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
            if is_ours:
                found.append(process.name)
        return found

    def identity(self, name: str) -> tuple[str, ...]:
        """Podman's identifier of a host; none if it is not there.

        Raises:
            PalisadeError: podman failed.
        """
        return tuple(
            str(entry["Id"]) for entry in self.query("ps", "--all", f"--filter=name=^{name}$", "--format=json")
        )

    def remove_host(self, name: str, volumes: Iterable[str]) -> None:
        """Remove one host, its disk and these volumes of it; what is not there is no error.

        Raises:
            PalisadeError: podman failed.
        """
        self.run("rm", "--force", "--ignore", "--volumes", "--time=0", name)
        self.remove_volumes(volumes)

    def remove_volumes(self, names: Iterable[str] | None = None) -> None:
        """Remove volumes that no host uses any more; all of them unless named.

        Raises:
            PalisadeError: podman failed.
        """
        there = self.run("volume", "ls", "--quiet").split()
        if going := there if names is None else [name for name in names if name in there]:
            self.run("volume", "rm", *going)


def host_state(state: str, process: int) -> str:
    """What podman says about a host, unless its first process contradicts.

    Args:
        state: Podman's word.
        process: The id of the host's first process, as podman knows it.
    """
    return "dead" if state in {"running", "stopping"} and not _is_alive(process) else state


def _is_alive(process: int) -> bool:
    try:
        fields = Path("/proc", str(process), "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    # The second field is the program's name in brackets, which may hold anything; the third is the state.
    return fields.rpartition(")")[2].split()[0] not in {"Z", "X"}
