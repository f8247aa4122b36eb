"""Explains why a build failed: the last lines that matter, the log, and what to do about it."""

from __future__ import annotations

from pathlib import Path

from palisade.errors import PalisadeError
from palisade.tools.catalogue import Program

_SHOWN_LINES = 10
_HEADER_LINES = 2
"""What a build writes to its log before Go starts."""

_NO_SPACE = ("no space left on device", "disk quota exceeded")
_NO_MEMORY = ("signal: killed", "cannot allocate memory")
_NOT_PINNED = ("checksum mismatch", "missing go.sum entry", "updates to go.mod needed", "disabled by -mod=readonly")
_NO_PROXY = (
    "dial tcp",
    "i/o timeout",
    "no such host",
    "connection refused",
    "TLS handshake",
    "403 Forbidden",
    "404 Not Found",
    "410 Gone",
    "module lookup disabled",
)
_REMEDIES = {
    _NO_SPACE: "free some space: Go's caches (go env GOCACHE GOMODCACHE) and Palisade's need a few GiB",
    _NO_MEMORY: "free some memory, or set GOFLAGS=-p=1 so that less is compiled at once",
    _NOT_PINNED: "restore {go_mod} and go.sum from git: what does not match them must not be built",
    _NO_PROXY: "make the Go module proxy reachable (see go env GOPROXY, and HTTPS_PROXY behind a company's proxy)",
}
"""Words of a log, and what to do about them; the first that match count."""


def build_failure(program: Program, log: Path) -> PalisadeError:
    """The error of a failed build, from its log.

    Args:
        program: What could not be built.
        log: What Go said, below two lines of ours.
    """
    said = telling_lines(log.read_text(encoding="utf-8", errors="replace"))
    listing = "\n".join(["The last lines of the log:", *(f"  {line}" for line in said)])
    again = f"then run `palisade tools {program.name}`, which goes on where it stopped"
    return PalisadeError(
        f"{program.name} {program.module.version} could not be built. {listing}",
        where=str(log),
        remedy=f"{remedy_for(said, program)}; {again}. Or put {program.wanted_on_path} on PATH",
    )


def telling_lines(log: str) -> list[str]:
    """The last lines of a log without progress (packages compiled, modules downloaded)."""
    lines = [line.rstrip() for line in log.splitlines()[_HEADER_LINES:]]
    telling = [line for line in lines if " " in line.strip() and not line.startswith("go: downloading ")]
    return telling[-_SHOWN_LINES:]


def remedy_for(lines: list[str], program: Program) -> str:
    """What to do about a build that ended with these lines."""
    text = "\n".join(lines)
    for words, remedy in _REMEDIES.items():
        if any(word in text for word in words):
            return remedy.format(go_mod=program.location("go.mod"))
    return f"read the log and correct {program.location('')}"
