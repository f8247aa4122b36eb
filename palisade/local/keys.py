"""SSH keys of one fleet: made here before a host starts, so that nothing is trusted on first use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from palisade.local.places import Places
from palisade.local.processes import run

HOST_KEY_TYPES = ("ed25519", "ecdsa", "rsa")
"""What ``ssh-keygen -A`` makes on a Debian that was just installed (OpenSSH 10.0)."""


def make_keys(places: Places, hosts: Iterable[str]) -> None:
    """Make the key of the operator and the keys of every host, where they are not there yet.

    Raises:
        PalisadeError: ssh-keygen failed.
    """
    _make_pair(places.identity, "ed25519", f"palisade {places.environment}")
    for host in hosts:
        for kind in HOST_KEY_TYPES:
            _make_pair(places.host_key(host, kind), kind, f"root@{host}")


def public_key(private: Path) -> str:
    """The public half of a key pair: type and key, without the comment."""
    return " ".join(public_file(private).read_text(encoding="ascii").split()[:2])


def public_file(private: Path) -> Path:
    """Where ssh-keygen puts the public half."""
    return private.with_name(f"{private.name}.pub")


def _make_pair(private: Path, kind: str, comment: str) -> None:
    if private.exists() and public_file(private).exists():
        return
    # ssh-keygen writes two files one after the other: make them elsewhere, and move the private one last.
    workplace = private.with_name(f".{private.name}.{os.getpid()}")
    shutil.rmtree(workplace, ignore_errors=True)
    workplace.mkdir(mode=0o700, parents=True)
    made = workplace / private.name
    run(("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(made)))
    public_file(made).replace(public_file(private))
    made.replace(private)
    workplace.rmdir()
