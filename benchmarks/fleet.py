"""Measures what ``docs/performance.md`` says about the local fleet, and writes that page.

Run it on an otherwise idle machine: ``make bench`` (about 20 minutes). It removes and starts the fleet ``local``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.page import ROOT, write_table
from palisade.project import cache_directory

HARDEN = ("ansible-playbook", "-i", "inventories/local", "harden.yml")


@dataclass(frozen=True)
class Timed:
    """One command: how long it took and what it printed."""

    seconds: float
    output: str


def timed(*command: str, variables: Mapping[str, str] | None = None) -> Timed:
    """Run a command in the checkout and time it from outside.

    Raises:
        SystemExit: it failed; a figure of a failed run means nothing.
    """
    print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
    started = time.monotonic()
    finished = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(variables or {})}, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - started
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{finished.stdout[-2000:]}\n{finished.stderr[-2000:]}")
    return Timed(seconds, finished.stdout)


def tasks_per_host(output: str) -> int:
    """Tasks that a playbook run counts as done for one host (those that only the controller does are among them)."""
    return max(int(number) for number in re.findall(r"ok=(\d+)", output))


def module_runs(output: str) -> int:
    """Modules that Ansible sent to one host, counted in its most verbose output."""
    return len(re.findall(r"<bastion-1> SSH: EXEC", output))


def measure() -> list[tuple[str, str]]:
    """All figures, in the order in which they are shown."""
    rows: list[tuple[str, str]] = []
    timed("palisade", "local", "down", "--purge")
    shutil.rmtree(cache_directory() / "images", ignore_errors=True)
    cold = timed("palisade", "local", "up")
    first = timed(*HARDEN)
    verified = timed("palisade", "verify", "local", "--output", "json")
    rows.append(
        (
            "`make up`, cold: no host image; Debian and Python packages there",
            f"{cold.seconds + first.seconds + verified.seconds:.0f} s",
        )
    )
    rows.append(("of it: image and hosts (`palisade local up`)", f"{cold.seconds:.1f} s"))
    rows.append(("of it: `harden.yml`, first run, four hosts", f"{first.seconds:.1f} s"))
    rows.append(("of it: `palisade verify local`, four hosts", f"{verified.seconds:.1f} s"))
    second = timed(*HARDEN)
    rows.append(("`harden.yml`, second run, four hosts (aim: 60 s)", f"{second.seconds:.1f} s"))
    alone = timed(*HARDEN, "--limit", "bastion-1")
    rows.append(("`harden.yml`, second run, one host", f"{alone.seconds:.1f} s"))
    concern = timed(*HARDEN, "--limit", "bastion-1", "--tags", "sysctl")
    rows.append(("`harden.yml --tags sysctl`, one host", f"{concern.seconds:.1f} s"))
    rows.append(("tasks for each host, of which on the host", f"{tasks_per_host(second.output)}, {host_tasks()}"))
    one = timed("palisade", "verify", "local", "--host", "bastion-1", "--output", "json")
    rows.append(("`palisade verify`, one host (aim: 10 s)", f"{one.seconds:.1f} s"))
    checks = sum(json.loads(verified.output)["counts"].values())
    rows.append(("checks in that run", str(checks)))
    warm_up = timed("palisade", "local", "up")
    rows.append(("`palisade local up`, already up", f"{warm_up.seconds:.1f} s"))
    timed("palisade", "local", "down")
    warm = timed("palisade", "local", "up")
    hardened = timed(*HARDEN)
    again = timed("palisade", "verify", "local")
    rows.append(
        ("`make up`, warm: image cached, fresh hosts", f"{warm.seconds + hardened.seconds + again.seconds:.0f} s")
    )
    rows.append(("of it: hosts (`palisade local up`)", f"{warm.seconds:.1f} s"))
    return rows


def host_tasks() -> int:
    """How many modules one host runs in a second run."""
    return module_runs(timed(*HARDEN, "--limit", "bastion-1", "-vvv").output)


def main() -> None:
    """Measure and write the table."""
    write_table("fleet", "make bench", measure())


if __name__ == "__main__":
    main()
