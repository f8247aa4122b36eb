"""One host: a container with systemd that lives like a machine: its own disk, address, keys and reboots."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from palisade.errors import PalisadeError
from palisade.fleet import Fleet, FleetHost
from palisade.local.access import ssh_arguments
from palisade.local.engine import Engine
from palisade.local.image import HostImage
from palisade.local.keys import HOST_KEY_TYPES, public_file
from palisade.local.network import NETWORK
from palisade.local.places import Places
from palisade.local.processes import attempt

SPECIFICATION_LABEL = "palisade.specification"
FIRST_PROCESS = "/usr/local/sbin/start-host"
"""From ``images/host/files``: keeps the machine out of reach, then becomes systemd."""
DEADLINE_SECONDS = 60.0
"""How long a host may take to boot and to answer through the bastion; usually it takes two seconds."""
PAUSE_SECONDS = 0.2
"""Between two attempts to reach a host that is still booting."""


@dataclass(frozen=True)
class Hosts:
    """The hosts of one fleet in the engine."""

    engine: Engine
    places: Places
    image: HostImage
    fleet: Fleet

    def specification(self, host: FleetHost) -> str:
        """Changes whenever a host would have to be made anew: 16 hexadecimal digits."""
        made_from = [*self._options(host), self.image.name, str(self.fleet.networks.fleet), host.group]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]

    def create_arguments(self, host: FleetHost) -> tuple[str, ...]:
        """The podman command that makes a host without starting it."""
        label = f"--label={SPECIFICATION_LABEL}={self.specification(host)}"
        return ("create", *self._options(host), label, self.image.name, FIRST_PROCESS)

    def _options(self, host: FleetHost) -> tuple[str, ...]:
        return (
            f"--name={host.name}",
            f"--hostname={host.name}",
            f"--network={NETWORK}",
            f"--ip={host.address}",
            "--privileged",
            "--systemd=always",
            "--cgroupns=private",
            "--pids-limit=-1",
            "--restart=always",
        )

    def states(self) -> dict[str, HostState]:
        """The hosts that the engine has, by name."""
        return {
            entry["Names"][0]: HostState(
                state=entry["State"], specification=(entry["Labels"] or {}).get(SPECIFICATION_LABEL, "")
            )
            for entry in self.engine.query("ps", "--all", "--format=json")
        }

    def start(self, host: FleetHost, found: HostState | None) -> None:
        """Make the host if it is not there, give it its identity before its first start, and start it.

        Raises:
            PalisadeError: podman failed.
        """
        if found is None:
            self.engine.run(*self.create_arguments(host))
        if found is None or found.state in {"created", "configured"}:
            self._give_identity(host)
        if found is None or found.state != "running":
            self.engine.run("start", host.name)

    def wait_until_reachable(self, host: FleetHost) -> tuple[str, ...]:
        """Wait until the host has booted and answers SSH the way users reach it.

        Returns:
            The units that failed while it booted; usually none.

        Raises:
            PalisadeError: it does not within :data:`DEADLINE_SECONDS`: which units failed, what it last wrote.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        question = ("systemctl", "is-system-running", "--wait")
        while True:
            answer = attempt(
                ssh_arguments(self.places, host.name, question, batch=True), seconds=deadline - time.monotonic()
            )
            state = answer.output.strip()
            if state == "running":
                return ()
            if state == "degraded":
                return self._failed_units(host)
            if time.monotonic() >= deadline:
                raise self._unreachable(host, answer.errors.strip() or state)
            time.sleep(PAUSE_SECONDS)

    def _failed_units(self, host: FleetHost) -> tuple[str, ...]:
        answer = self.engine.inside(host.name, ("systemctl", "list-units", "--failed", "--output=json"))
        return tuple(unit["unit"] for unit in json.loads(answer.output or "[]")) if answer.succeeded else ()

    def _unreachable(self, host: FleetHost, last_answer: str) -> PalisadeError:
        failed = ", ".join(self._failed_units(host)) or "none"
        journal = self.engine.inside(host.name, ("journalctl", "--boot", "--no-pager", "--lines=15", "--output=cat"))
        return PalisadeError(
            f"{host.name} does not answer within {DEADLINE_SECONDS:.0f} s: {last_answer}\n"
            f"failed units: {failed}\nits last words:\n{journal.output.strip() or journal.errors.strip()}",
            where=f"{host.name} ({host.address})",
            remedy="run the same command again; if it stays so: palisade local down && palisade local up",
        )

    def _give_identity(self, host: FleetHost) -> None:
        root = Path(self.engine.run("mount", host.name).strip())
        try:
            for kind in HOST_KEY_TYPES:
                private = self.places.host_keys / host.name / f"ssh_host_{kind}_key"
                _install(private, root / "etc/ssh", mode=0o600)
                _install(public_file(private), root / "etc/ssh", mode=0o644)
            authorized = _install(
                public_file(self.places.identity),
                root / "home" / host.ssh_user / ".ssh",
                mode=0o600,
                name="authorized_keys",
            )
            owner = authorized.parent.stat()
            os.chown(authorized, owner.st_uid, owner.st_gid)
        finally:
            self.engine.run("unmount", host.name)


@dataclass(frozen=True)
class HostState:
    """What the engine says about a host: its state (podman's words) and what it was made from."""

    state: str
    specification: str


def _install(source: Path, directory: Path, *, mode: int, name: str | None = None) -> Path:
    target = directory / (name or source.name)
    shutil.copyfile(source, target)
    target.chmod(mode)
    return target
