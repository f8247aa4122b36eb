"""The verification's own SSH connections: one per host and run, shared by all readings, closed at the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import testinfra.host  # type: ignore[import-untyped]

from palisade.errors import ExitCode, PalisadeError
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.verification.backend import SessionBackend

CONNECT_SECONDS = 10
"""How long a host may take to answer; the local fleet answers within one second on two busy cores."""
LOGIN_SECONDS = 15
"""How long a fresh login may take in all; a connection that a host should refuse to carry may hang for minutes."""
_FRESH = ("-o", "ControlMaster=no", "-o", "ControlPath=none")


class CommandResult(Protocol):
    """What a command answered, as testinfra gives it."""

    rc: int
    stdout: str
    stderr: str


class Host(Protocol):
    """The part of testinfra's ``Host`` that is used here; checks may use all of it."""

    def run(self, command: str, *args: str) -> CommandResult:
        """Run a command as root; each ``%s`` in it is replaced by the next argument, quoted for the shell."""


@dataclass(frozen=True)
class Answer:
    """What an ``ssh`` process on this machine said."""

    exit_status: int
    output: str
    """Standard output of the remote command."""
    log: str
    """What the SSH client said (standard error)."""


class Connections:
    """Opens, shares and closes the connections to the hosts of a fleet; a context manager.

    The shared connections live in a private temporary directory. The fleet's own ``ssh_config`` stays without
    multiplexing, so that nothing else (a lock-out check, an operator) ever rides on them by accident.

    Args:
        fleet: The hosts and how they are reached.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.directory = Path(tempfile.mkdtemp(prefix="palisade-"))
        """Holds the client configuration and the control sockets; only this user can enter it."""
        self._configuration = self.directory / "ssh_config"
        self._configuration.write_text(client_configuration(fleet, self.directory), encoding="utf-8")
        self._hosts: dict[str, Host] = {}
        self._backends: list[SessionBackend] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def host(self, name: str) -> Host:
        """The testinfra host of this name; its commands run as root, in one session."""
        if name not in self._hosts:
            backend = SessionBackend(name, self._configuration)
            self._backends.append(backend)
            self._hosts[name] = testinfra.host.Host(backend)
            backend.set_host(self._hosts[name])
        return self._hosts[name]

    def login(self, name: str, command: str, *options: str) -> Answer:
        """Run a command as the login user over a fresh connection of its own (never a shared one).

        Args:
            name: The host.
            command: What the login shell runs.
            options: Further arguments of ``ssh``.
        """
        return self._fresh(*options, name, command)

    def forward(self, name: str, destination: str) -> Answer:
        """Ask a host to carry a connection to ``address:port``, in a fresh login; nothing is sent through it.

        Args:
            name: The host.
            destination: ``address:port``, as the host sees it.
        """
        return self._fresh("-W", destination, name)

    def _fresh(self, *arguments: str) -> Answer:
        process = subprocess.Popen(
            ["ssh", "-F", str(self._configuration), *_FRESH, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            output, log = process.communicate(timeout=LOGIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            output, log = process.communicate()
            log += f"no end within {LOGIN_SECONDS} s"
        return Answer(process.returncode, output, log)

    def require_reachable(self, hosts: tuple[FleetHost, ...]) -> None:
        """Open the connection to each host and try sudo there; all hosts at the same time.

        Raises:
            PalisadeError: a host does not answer, refuses the login, or refuses sudo (``ExitCode.EXTERNAL``).
        """
        bastions = [host for host in self.fleet.in_group(HostGroup.BASTION) if host not in hosts]
        for wave in (
            [host for host in (*bastions, *hosts) if host.group is HostGroup.BASTION],
            [host for host in hosts if host.group is not HostGroup.BASTION],
        ):
            with ThreadPoolExecutor(max_workers=8) as pool:
                for _ in pool.map(self._require_reachable, wave):
                    pass

    def _require_reachable(self, host: FleetHost) -> None:
        arguments = ["ssh", "-F", str(self._configuration), host.name, "sudo", "-n", "true"]
        # The master process that stays behind keeps standard error open: a file does not make us wait for it.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
            status = subprocess.run(
                arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, check=False
            ).returncode
            log.seek(0)
            said = [line for line in log.read().splitlines() if line.strip()]
        if status == 0:
            return
        last = said[-1] if said else f"ssh ended with exit code {status}"
        raise PalisadeError(
            f"The host {host.name} cannot be verified: {last}",
            where=f"{host.name} ({host.ssh_user}@{host.address}:{host.ssh_port})",
            remedy="check that the host runs and that your key logs in there (for the local fleet: palisade local up)",
            exit_code=ExitCode.EXTERNAL,
        )

    def close(self) -> None:
        """End the sessions and the shared connections, and remove their directory."""
        for backend in self._backends:
            backend.close()
        for socket in self.directory.glob("c-*"):
            subprocess.run(
                ["ssh", "-F", str(self._configuration), "-o", f"ControlPath={socket}", "-O", "exit", "palisade"],
                capture_output=True,
                check=False,
            )
        shutil.rmtree(self.directory, ignore_errors=True)


def client_configuration(fleet: Fleet, directory: Path) -> str:
    """The OpenSSH client configuration that shares connections and reaches every host by its name.

    Args:
        fleet: The hosts. With an ``ssh_config`` of its own (the local fleet) that file says how they are reached;
            without one the user's own configuration and keys are used, through the fleet's first bastion.
        directory: Where the control sockets are put; short, because a socket's path has at most 108 bytes.
    """
    lines = [
        "Host *",
        "  ControlMaster auto",
        f"  ControlPath {directory}/c-%C",
        "  ControlPersist 120",
        "  BatchMode yes",
        f"  ConnectTimeout {CONNECT_SECONDS}",
    ]
    if fleet.ssh_config is not None:
        return "\n".join([*lines, f"Include {fleet.ssh_config}", ""])
    bastions = fleet.in_group(HostGroup.BASTION)
    for host in fleet.hosts:
        lines += [f"Host {host.name}", f"  HostName {host.address}", f"  User {host.ssh_user}"]
        lines += [f"  Port {host.ssh_port}", "  StrictHostKeyChecking yes"]
        if bastions and host.group is not HostGroup.BASTION:
            lines.append(f"  ProxyJump {bastions[0].name}")
    return "\n".join([*lines, "Host *", "  Include ~/.ssh/config", ""])
