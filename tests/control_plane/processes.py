"""Processes that a test starts: each with a log, and ended with the test whatever happens."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_ENDING_SECONDS = 10.0
_LOOK_SECONDS = 0.05
_LOG_CHARACTERS = 4000


class Daemon:
    """One process in the background.

    Args:
        name: Names its log.
        command: The program and its arguments.
        directory: Where it runs and where its log is.
    """

    def __init__(self, name: str, command: Sequence[str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            # setpriv: the kernel ends it when the test is killed and cannot do it itself.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition that this process brings about.

        Raises:
            AssertionError: the process ended, or the time is over; with the end of its log.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                what = f"ended with {self._process.returncode}" if ended else f"is not ready after {seconds:.0f} s"
                raise AssertionError(f"{self.name} {what}:\n{self.log.read_text(errors='replace')[-_LOG_CHARACTERS:]}")
            time.sleep(_LOOK_SECONDS)  # between two looks at the condition

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait until the process has ended by itself; its exit code."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End the process; kill it if it does not end."""
        self._process.terminate()
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody listens on now, all different."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
