"""Measures what ``docs/performance.md`` says about the local fleet: each step of ``make up``, and what comes again.

Run it on an otherwise idle machine: ``make bench`` (about 35 minutes). It removes and starts the fleet ``local``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.page import ROOT, write_table
from palisade.config import load_configuration
from palisade.project import Project, cache_directory

HARDEN = ("ansible-playbook", "-i", "inventories/local", "harden.yml")
STACK_PREVIEW = ("palisade", "stack", "preview", "local", "--expect-no-changes")


@dataclass(frozen=True)
class Timed:
    """One command: how long it took, what it printed, and what it told while it worked."""

    seconds: float
    output: str
    progress: str


def timed(*command: str) -> Timed:
    """Run a command in the checkout and time it from outside.

    Raises:
        SystemExit: it failed; a figure of a failed run means nothing.
    """
    print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
    started = time.monotonic()
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stdout[-2000:]}\n{finished.stderr[-2000:]}")
    return Timed(seconds, finished.stdout, finished.stderr)


def tasks_per_host(output: str) -> int:
    """Tasks that a playbook run counts as done for one host (those that only the controller does are among them)."""
    return max(int(number) for number in re.findall(r"ok=(\d+)", output))


def module_runs(output: str) -> int:
    """Modules that Ansible sent to one host, counted in its most verbose output."""
    return len(re.findall(r"<bastion-1> SSH: EXEC", output))


def step_seconds(progress: str, step: str) -> float:
    """How long a step of ``palisade local up`` took, by its own words."""
    return float(re.findall(rf"\] {step}\b.* \(([\d.]+) s\)$", progress, flags=re.MULTILINE)[-1])


def commands_of_up() -> list[str]:
    """What ``make up`` runs, in order, as make itself says; the first step (tools) is up to date in a checkout."""
    command = ("make", "--dry-run", "--no-print-directory", "up")
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = printed.replace("\\\n", " ").splitlines()
    return [line for line in lines if not line.startswith("make ")]  # of a make in it, its own lines follow


def make_up(title: str) -> tuple[list[tuple[str, str]], Sequence[Timed]]:
    """The rows of one ``make up``, and its steps."""
    commands = commands_of_up()
    steps = [timed("bash", "-c", command) for command in commands]
    whole = sum(step.seconds for step in steps)
    rows = [(f"`make up`, {title}", f"{whole:.0f} s")]
    rows += [
        (f"of it: {named(command)}", f"{step.seconds:.1f} s") for command, step in zip(commands, steps, strict=True)
    ]
    return rows, steps


def named(command: str) -> str:
    """A command as a row names it: of a line with several, the last two."""
    parts = [part.strip() for part in command.split(";")]
    return ", ".join(f"`{part}`" for part in parts[-2:])


def measure() -> list[tuple[str, str]]:
    """All figures, in the order in which they are shown."""
    hosts = f"{len(load_configuration(Project.find(), 'local').hosts)} hosts"
    timed("palisade", "local", "down", "--purge")
    shutil.rmtree(cache_directory() / "images", ignore_errors=True)
    rows, _ = make_up("cold: no image; programs built, Debian and Python packages there")
    counts = json.loads(timed("palisade", "verify", "local", "--output", "json").output)["counts"]
    rows.append(("checks in `palisade verify local`", str(sum(counts.values()))))
    second = timed(*HARDEN)
    rows.append((f"`harden.yml`, second run, {hosts} (aim: 60 s)", f"{second.seconds:.1f} s"))
    alone = timed(*HARDEN, "--limit", "bastion-1")
    rows.append(("`harden.yml`, second run, one host", f"{alone.seconds:.1f} s"))
    concern = timed(*HARDEN, "--limit", "bastion-1", "--tags", "sysctl")
    rows.append(("`harden.yml --tags sysctl`, one host", f"{concern.seconds:.1f} s"))
    rows.append(("tasks for each host, of which on the host", f"{tasks_per_host(second.output)}, {host_tasks()}"))
    one = timed("palisade", "verify", "local", "--host", "bastion-1", "--output", "json")
    rows.append(("`palisade verify`, one host (aim: 10 s)", f"{one.seconds:.1f} s"))
    there = timed("palisade", "local", "up")
    rows.append(("`palisade local up`, already up", f"{there.seconds:.1f} s"))
    rows.append(("`palisade stack preview`, nothing to change", f"{timed(*STACK_PREVIEW).seconds:.1f} s"))
    timed("palisade", "local", "down", "--purge")
    warm, steps = make_up(f"warm: images cached, {hosts} made anew")
    ready = step_seconds(steps[0].progress, "Kubernetes")
    return [*rows, *warm, ("of it: Kubernetes until its nodes are ready (aim: 60 s)", f"{ready:.1f} s")]


def host_tasks() -> int:
    """How many modules one host runs in a second run."""
    return module_runs(timed(*HARDEN, "--limit", "bastion-1", "-vvv").output)


def main() -> None:
    """Measure and write the table."""
    write_table("fleet", "make bench", measure())


if __name__ == "__main__":
    main()
