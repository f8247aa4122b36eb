"""The SSH daemon: what its file says (``sshd -T``), what the running daemon offers, and what logins meet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from palisade.verification.connections import Answer
from palisade.verification.readings import Readings

CONFIGURATION = "/etc/ssh/sshd_config"
_LISTS = {"ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"}
_REPEATED = {"hostkey", "allowgroups", "allowusers", "permitopen", "port"}
_METHODS = re.compile(r"Authentications that can continue: (\S+)")


def configured(readings: Readings) -> Mapping[str, Any]:
    """The settings that the daemon takes from its file, by lower-case name; lists for what holds several values."""
    return readings.once("sshd configured", lambda: parse_settings(readings.output("sshd -T")))


def parse_settings(text: str) -> dict[str, Any]:
    """The output of ``sshd -T``: one keyword and its value a line; some keywords come several times."""
    settings: dict[str, Any] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in _LISTS:
            settings[name] = value.split(",")
        elif name in _REPEATED:
            settings.setdefault(name, []).extend(value.split())
        else:
            settings[name] = value
    return settings


def reads_its_file(readings: Readings) -> bool:
    """Whether the daemon runs and was started or reloaded after its file was last changed."""
    properties = readings.output(
        "systemctl show ssh.service --timestamp=unix --property=ActiveState,StateChangeTimestamp --value"
    ).split()
    changed = readings.output(f"stat --format=%Y {CONFIGURATION}")
    return properties[0] == "active" and int(properties[1].removeprefix("@")) >= int(changed)


def offered(readings: Readings) -> Mapping[str, list[str]]:
    """The algorithms that the running daemon offers to everybody who connects."""
    found: Mapping[str, list[str]] = readings.probe("ssh_offer", str(readings.target.ssh_port))
    return found


def verbose_login(readings: Readings) -> Answer:
    """A fresh login that says what was negotiated; its session reports the limits that it got."""
    return readings.login(
        "echo umask=$(umask); echo core=$(ulimit -Hc); "
        "bash --login -c 'echo login_umask=$(umask); echo timeout=$TMOUT; readonly -p | grep -o TMOUT | head -n 1'",
        "-v",
    )


def session(readings: Readings) -> Mapping[str, str]:
    """What a fresh login gets: its umask, its hard limit for core dumps, the time-out of its shell."""
    answer = verbose_login(readings)
    lines = answer.output.splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return values | {"timeout_fixed": "yes" if "TMOUT" in lines else "no"}


def offered_methods(readings: Readings) -> list[str]:
    """The ways to log in that the daemon named to a client before it had logged in."""
    found = _METHODS.search(verbose_login(readings).log)
    return found.group(1).split(",") if found else []
