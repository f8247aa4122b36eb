"""Load from vegeta, and the processor time that processes take meanwhile."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

CONNECTIONS = 32
LEAST_SHARE = 0.98
"""How many answers must be 200: on a busy machine some decisions come too late."""
_OK = "200"


@dataclass(frozen=True)
class Target:
    """What is asked."""

    url: str
    authority: Path
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """What was seen during one attack."""

    requests: int
    rate: float
    """Requests per second that were answered."""
    p50_ms: float
    p99_ms: float
    seconds: Mapping[str, float]
    """Processor seconds per 1,000 requests, by the name of the process."""


def attack(vegeta: Path, target: Target, processes: Mapping[str, int], *, rate: int, seconds: int) -> Measured:
    """Ask over kept connections, and read what the processes have used before and after.

    Args:
        vegeta: The program.
        target: What is asked.
        processes: The processes by name.
        rate: Requests per second; 0 for as many as are answered.
        seconds: How long.

    Raises:
        SystemExit: too many answers were not 200.
    """
    options = {
        "rate": rate,
        "duration": f"{seconds}s",
        "connections": CONNECTIONS,
        "max-connections": CONNECTIONS,
        "workers": CONNECTIONS,
        "max-workers": CONNECTIONS,
        "http2": "false",
        "root-certs": target.authority,
    }
    headers = [f"-header={name}: {value}" for name, value in target.headers.items()]
    before = {name: _used(process) for name, process in processes.items()}
    results = subprocess.run(
        [str(vegeta), "attack", *(f"-{name}={value}" for name, value in options.items()), *headers],
        input=f"GET {target.url}\n".encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    after = {name: _used(process) for name, process in processes.items()}
    report = subprocess.run(
        [str(vegeta), "report", "-type=json"], input=results.stdout, capture_output=True, check=True
    )
    found = json.loads(report.stdout)
    count = found["requests"]
    if found["status_codes"].get(_OK, 0) < count * LEAST_SHARE:
        raise SystemExit(f"{target.url}: {found['status_codes']} {found['errors'][:3]}")
    return Measured(
        requests=count,
        rate=found["throughput"],
        p50_ms=found["latencies"]["50th"] / 1e6,
        p99_ms=found["latencies"]["99th"] / 1e6,
        seconds={name: (after[name] - before[name]) / count * 1000 for name in processes},
    )


def _used(process: int) -> float:
    times = psutil.Process(process).cpu_times()
    return times.user + times.system
