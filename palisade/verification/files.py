"""Files of settings, in the few forms that they have on a Debian host."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from palisade.verification.readings import Readings


def text_of(readings: Readings, path: str) -> str:
    """The text of a file; empty if there is none."""
    return readings.status_and_output(f"cat -- {shlex.quote(path)}")[1]


def words_in(text: str) -> dict[str, str]:
    """Settings as ``NAME value`` or ``name = value`` or a bare ``name`` (login.defs(5), pwquality.conf(5)).

    Programs differ in whether the first or the last line of a name counts, so a name with several values gets all of
    them: ``027 and 022`` equals no expected value.
    """
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split("#")[0].replace("=", " ", 1).split()
        if words:
            value = " ".join(words[1:])
            values = found.setdefault(words[0], [])
            if value not in values:
                values.append(value)
    return {name: " and ".join(values) for name, values in found.items()}


def settings_of(readings: Readings, path: str) -> Mapping[str, str]:
    """The settings of one file; none if there is no such file."""
    return readings.once(f"settings {path}", lambda: words_in(text_of(readings, path)))


def systemd_settings(readings: Readings, name: str) -> Mapping[str, str]:
    """What a systemd configuration file and its drop-ins say together; the last line of a name counts.

    Args:
        readings: The host.
        name: As ``systemd-analyze cat-config`` knows it, such as ``systemd/journald.conf``.
    """

    def read() -> dict[str, str]:
        _, text = readings.status_and_output(f"systemd-analyze cat-config --no-pager {shlex.quote(name)}")
        lines = [line.partition("=") for line in text.splitlines() if not line.startswith(("#", "["))]
        return {name.strip(): value.strip() for name, separator, value in lines if separator}

    return readings.once(f"systemd settings {name}", read)


def attributes_of(readings: Readings, paths: tuple[str, ...]) -> Mapping[str, str]:
    """Mode, owner and group of the files that exist, as ``0640 root:shadow``.

    Args:
        readings: The host.
        paths: Absolute paths.
    """
    listed = shlex.join(["stat", "--format=%a %U:%G %n", "--", *paths])
    found = {}
    for line in readings.status_and_output(f"{listed} 2>/dev/null")[1].splitlines():
        mode, owner, path = line.split(" ", 2)
        found[path] = f"{mode.zfill(4)} {owner}"
    return found


def file_systems_of(readings: Readings) -> tuple[str, ...]:
    """Where the host's own file systems are mounted that can be written: ``/`` first, then each one on a disk.

    What is in memory, what the kernel makes up, what comes over the network and what cannot be written is left out.
    """
    listed = readings.output("findmnt --list --json --output TARGET,SOURCE,FSTYPE,OPTIONS")
    on_disks = {
        mount["target"]
        for mount in json.loads(listed)["filesystems"]
        if "rw" in mount["options"].split(",") and (mount["source"].startswith("/dev/") or mount["fstype"] == "zfs")
    }
    return ("/", *sorted(on_disks - {"/"}))


def unit_properties(readings: Readings, unit: str) -> Mapping[str, str]:
    """How a systemd unit stands: LoadState, UnitFileState, ActiveState.

    Args:
        readings: The host.
        unit: The unit with its ending.
    """
    text = readings.output(f"systemctl show {shlex.quote(unit)} --property=LoadState,UnitFileState,ActiveState")
    return dict(line.split("=", 1) for line in text.splitlines())


def packages(readings: Readings) -> Mapping[str, str]:
    """The installed packages with their versions."""

    def read() -> dict[str, str]:
        text = readings.output(r"dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\n'")
        lines = [line.partition(" ") for line in text.splitlines()]
        return dict(rest.split(" ", 1) for status, _, rest in lines if status == "installed")

    return readings.once("packages", read)
