"""Two at once, and builds that are stopped in the middle: never half a program, never two builds.

The middle of a build is reached without waiting for luck: Go starts the linker through a script (``-toolexec``) that
reports and then waits, both through a named pipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from tools_workshop import Workshop

pytestmark = pytest.mark.slow


@dataclass
class Linker:
    """A linker that stops before it starts."""

    script: Path
    reached: Path
    go_on: Path

    @property
    def flags(self) -> str:
        return f"-toolexec={self.script}"

    def wait_until_reached(self) -> None:
        self.reached.read_text(encoding="utf-8")

    def release(self) -> None:
        self.go_on.write_text("\n", encoding="utf-8")


@pytest.fixture
def linker(tmp_path: Path) -> Linker:
    made = Linker(tmp_path / "linker", tmp_path / "reached", tmp_path / "go_on")
    os.mkfifo(made.reached)
    os.mkfifo(made.go_on)
    made.script.write_text(
        "#!/bin/sh\n"
        'case "$1 $2" in\n'
        "*/link\\ -V=full) ;;\n"
        f"*/link\\ *) echo > {made.reached}; read line < {made.go_on} ;;\n"
        "esac\n"
        'exec "$@"\n',
        encoding="utf-8",
    )
    made.script.chmod(0o755)
    return made


def read_until(stream: IO[str] | None, words: str) -> str:
    assert stream is not None
    seen = ""
    for line in stream:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"{words!r} was never said, but:\n{seen}")


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return output, errors


def test_two_at_once_build_once_and_the_second_says_that_it_waits(workshop: Workshop, linker: Linker) -> None:
    first = workshop.command("demo", GOFLAGS=linker.flags)
    linker.wait_until_reached()
    second = workshop.command("demo", GOFLAGS=linker.flags)
    read_until(second.stderr, "demo is being built by another palisade; waiting for it, log: ")
    linker.release()
    # A second build would stop at the linker for ever: nobody releases it again.
    first_output, first_errors = finish(first)
    second_output, second_errors = finish(second)
    assert first_output == second_output
    assert "v1.2.3, built (" in first_errors
    assert "v1.2.3, built meanwhile (" in second_errors
    assert len(workshop.built()) == 1


def test_kill_9_leaves_no_half_tool_and_the_next_one_finishes(workshop: Workshop, linker: Linker) -> None:
    killed = workshop.command("demo", GOFLAGS=linker.flags)
    linker.wait_until_reached()
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert workshop.built() == []
    following = workshop.command("demo")
    # Go outlives the killed process; the next one must not work in the same place at the same time.
    read_until(following.stderr, "waiting for it")
    linker.release()
    output, errors = finish(following)
    assert "v1.2.3, built (" in errors
    assert [Path(output.split()[1]).parent] == workshop.built()
    assert workshop.unfinished() == []


def test_ctrl_c_ends_the_build_with_its_compilers(workshop: Workshop, linker: Linker) -> None:
    stopped = workshop.command("demo", GOFLAGS=linker.flags)
    linker.wait_until_reached()
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert workshop.built() == []
    assert workshop.unfinished() == []
    (lock,) = (workshop.cache / "palisade" / "tools" / "locks").iterdir()
    subprocess.run(["flock", "--timeout", "30", str(lock), "true"], check=True)
