"""One host: a container with systemd that lives like a machine: its own disk, address, keys and reboots."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from palisade.errors import ConfigurationError, PalisadeError
from palisade.fleet import Fleet, FleetHost
from palisade.local.access import ssh_arguments
from palisade.local.engine import SPECIFICATION_LABEL, Engine, FoundHost
from palisade.local.image import HostImages
from palisade.local.keys import HOST_KEY_TYPES, public_file, public_key
from palisade.local.machine import Machine
from palisade.local.nodes import mount_options
from palisade.local.places import Places
from palisade.local.processes import attempt

FIRST_PROCESS = "/usr/local/sbin/start-host"
"""From ``images/host/files``: keeps the machine out of reach, then becomes systemd."""
ALREADY_UP = "already up"
DEADLINE_SECONDS = 60.0
"""How long a host may take to boot and to answer through the bastion; usually it takes two seconds."""
ATTEMPT_SECONDS = 10.0
"""How long one attempt may take; a Ctrl-C waits no longer than this."""
PAUSE_SECONDS = 0.2
"""Between two attempts to reach a host that is still booting."""


@dataclass(frozen=True)
class Hosts:
    """The hosts of one fleet in the engine."""

    engine: Engine
    places: Places
    images: HostImages
    fleet: Fleet
    machine: Machine

    def specification(self, host: FleetHost) -> str:
        """Changes whenever a host would have to be made anew: 16 hexadecimal digits."""
        keys = [public_key(self.places.host_key(host.name, "ed25519")), public_key(self.places.identity)]
        made_from = [*self._options(host), self._image(host), str(self.fleet.networks.fleet), *keys]
        return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:16]

    def create_arguments(self, host: FleetHost) -> tuple[str, ...]:
        """The podman command that makes a host without starting it."""
        placement = self.engine.placement(self.machine)
        label = f"--label={SPECIFICATION_LABEL}={self.specification(host)}"
        return ("create", *self._options(host), *placement, label, self._image(host), FIRST_PROCESS)

    def _image(self, host: FleetHost) -> str:
        return self.images.of_host(self.fleet, host).name

    def _options(self, host: FleetHost) -> tuple[str, ...]:
        return (
            f"--name={host.name}",
            f"--hostname={host.name}",
            f"--network={self.places.network}",
            f"--ip={host.address}",
            "--privileged",
            "--systemd=always",
            "--cgroupns=private",
            "--pids-limit=-1",
            "--restart=always",
            *mount_options(self.fleet, host, self.places),
        )

    def refuse_others(self, found: Mapping[str, FoundHost]) -> None:
        """Refuse to go on with hosts that are not what is configured now, or that cannot be started again.

        Raises:
            ConfigurationError: which hosts were made from something else; they are neither kept nor destroyed.
            PalisadeError: which hosts were killed from outside.
        """
        name = self.fleet.environment
        remedy = (
            "make the fleet anew, which deletes the hosts' disks: "
            f"palisade local down --environment {name} && palisade local up --environment {name}"
        )
        if dead := sorted(host_name for host_name, host in found.items() if host.state == "dead"):
            raise PalisadeError(
                f"Killed from outside, and lost to the engine: {', '.join(dead)}.",
                where=str(self.places.state),
                remedy=remedy,
            )
        expected = {host.name: self.specification(host) for host in self.fleet.hosts}
        changed = [name for name, host in found.items() if expected.get(name, host.specification) != host.specification]
        removed = [name for name in found if name not in expected]
        problems = []
        if changed:
            problems.append(f"made from another configuration, image or key: {', '.join(sorted(changed))}")
        if removed:
            problems.append(f"no longer in the configuration: {', '.join(sorted(removed))}")
        if problems:
            raise ConfigurationError(
                f"The fleet {name} exists as something else ({'; '.join(problems)}).",
                where=str(self.places.state),
                remedy=remedy,
            )

    def start(self, host: FleetHost, found: FoundHost | None) -> str:
        """Make the host if it is not there, give it its identity before its first start, and start it.

        Returns:
            What had to be done, in words.

        Raises:
            PalisadeError: podman failed.
        """
        if found is not None and found.state == "running":
            return ALREADY_UP
        if found is None:
            self.engine.run(*self.create_arguments(host))
        if found is None or found.started is None:
            self._give_identity(host)
        self.engine.run("start", host.name)
        return "made" if found is None else "started again"

    def wait_until_reachable(self, host: FleetHost, stop: Event) -> tuple[str, ...]:
        """Wait until the host has booted and answers SSH the way users reach it.

        Args:
            host: The host.
            stop: Ends the waiting early when it is set.

        Returns:
            The units that failed while it booted; usually none.

        Raises:
            PalisadeError: it does not within :data:`DEADLINE_SECONDS`: which units failed, what it last wrote.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        question = ssh_arguments(self.places, host.name, ("systemctl", "is-system-running", "--wait"), batch=True)
        while True:
            answer = attempt(question, seconds=ATTEMPT_SECONDS)
            state = answer.output.strip()
            if state == "running":
                return ()
            if state == "degraded":
                return self._failed_units(host)
            if stop.is_set():
                return ()
            if time.monotonic() >= deadline:
                raise self._unreachable(host, answer.errors.strip() or state)
            stop.wait(PAUSE_SECONDS)

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
                private = self.places.host_key(host.name, kind)
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


def _install(source: Path, directory: Path, *, mode: int, name: str | None = None) -> Path:
    target = directory / (name or source.name)
    shutil.copyfile(source, target)
    target.chmod(mode)
    return target
