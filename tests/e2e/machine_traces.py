"""Run on the machine under test: prints, as JSON, everything of it that starting hosts could change.

The argument is the name of the fleet's control group: groups are the kernel's, so those of other fleets are seen too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from palisade.local.mounts import MOUNTS, parse_mounts

# Counters, random numbers and what the kernel adjusts by itself.
NO_SETTINGS = {
    "aio-nr",
    "compact_memory",
    "dentry-state",
    "file-nr",
    "inode-nr",
    "inode-state",
    "ns_last_pid",
    "perf_event_max_sample_rate",
    "random",
}


def output(*command: str) -> list[str]:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def setting(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return f"errno {error.errno}"


def traces(name: str) -> dict[str, list[str]]:
    areas = [Path("/proc/sys", area) for area in ("kernel", "vm", "fs", "net/ipv4")]
    files = [path for area in areas for path in area.iterdir() if path.is_file() and path.name not in NO_SETTINGS]
    files.extend(Path("/proc/sys/net/ipv4/conf").glob("*/*"))
    return {
        "control groups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}")),
        "interfaces": output("ip", "-oneline", "-family", "inet", "address"),
        "mounts": [str(point) for point in parse_mounts(MOUNTS.read_text(encoding="utf-8"))],
        "packet filter": output("nft", "--stateless", "list", "ruleset"),
        "routes": output("ip", "route", "show", "table", "all"),
        "runtime": sorted(str(path) for path in Path("/run").iterdir()),
        "settings": sorted(f"{path}: {setting(path)}" for path in files),
        "shared memory": sorted(str(path) for path in Path("/dev/shm").iterdir()),  # noqa: S108 - what podman leaves there
    }


if __name__ == "__main__":
    print(json.dumps(traces(sys.argv[1])))  # noqa: T201 - the answer
