"""A stack of a local fleet in a project of its own, and lock files as Pulumi's file backend writes them."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from pathlib import Path

from palisade.project import Project
from palisade.stack.model import Stack, StateFiles, local_state_directory

URN = "urn:pulumi:local::palisade::palisade:platform:Platform$kubernetes:core/v1:Namespace::palisade-agents"


def local_stack(root: Path, environment: str = "local") -> Stack:
    """A stack whose state is in Palisade's own directory."""
    (root / "Pulumi.yaml").write_text("name: palisade\nruntime: python\n")
    (root / f"Pulumi.{environment}.yaml").write_text("config: {} # as it is versioned\n")
    directory = local_state_directory()
    return Stack(
        project=Project(root),
        environment=environment,
        backend=directory.as_uri(),
        secrets_provider="passphrase",
        is_local=True,
        files=StateFiles(directory, "palisade", environment),
        kubeconfig=None,
    )


def lock_file(files: StateFiles, process: int, *, since: datetime | None = None, host: str | None = None) -> Path:
    """A lock of a process, as ``pulumi`` 3.250 writes it (nanoseconds included)."""
    files.locks.mkdir(parents=True, exist_ok=True)
    moment = (since or datetime.now(tz=UTC)).isoformat().replace("+00:00", "123Z")
    content = {"pid": process, "username": "ada", "hostname": host or socket.gethostname(), "timestamp": moment}
    path = files.locks / f"7b3267ac-5612-4602-9801-{process:012d}.json"
    path.write_text(json.dumps(content))
    return path
