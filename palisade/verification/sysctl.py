"""Kernel settings: what the files say together, what the kernel has, and what it makes of it on each interface."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from palisade.verification.readings import Readings

_LOOPBACK = "lo"
_INTERFACE_SETTING = re.compile(r"(net\.ipv[46]\.conf)\.\*\.(\w+)")
_EITHER = {"send_redirects", "secure_redirects", "shared_media", "log_martians", "accept_redirects"}
_BOTH = {"accept_source_route"}
_HIGHER = {"rp_filter", "arp_ignore", "arp_announce"}
"""How the kernel combines ``net.ipv4.conf.all.X`` with the value of an interface (include/linux/inetdevice.h:
IN_DEV_ORCONF, IN_DEV_ANDCONF, IN_DEV_MAXCONF). Every other setting counts per interface alone."""


def running(readings: Readings) -> Mapping[str, str]:
    """All settings of the running kernel that this host can read (``sysctl -a``)."""
    return readings.once(
        "sysctl running", lambda: parse_settings(readings.status_and_output("sysctl -a 2>/dev/null")[1])
    )


def configured(readings: Readings) -> Mapping[str, str]:
    """What the files of sysctl.d(5) say together, in the order in which systemd-sysctl applies them."""
    command = "systemd-analyze cat-config --no-pager sysctl.d"
    return readings.once("sysctl configured", lambda: parse_settings(readings.output(command)))


def parse_settings(text: str) -> dict[str, str]:
    """Settings as ``name = value`` lines; the last one of a name counts, white space in values is one blank."""
    settings = {}
    for line in text.splitlines():
        name, separator, value = line.partition("=")
        name = name.strip()
        if separator and name and not name.startswith(("#", ";")):
            settings[name.lstrip("-").replace("/", ".")] = " ".join(value.split())
    return settings


def expected_in_files(expected: Mapping[str, str]) -> dict[str, str]:
    """What the files must say: an interface setting for ``all`` and for ``default``."""
    return {
        name.replace(".*.", f".{scope}."): value
        for name, value in expected.items()
        for scope in (("all", "default") if ".*." in name else ("",))
    }


def in_files(settings: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """What the files set for these names: the name itself, or else the last pattern that matches it (sysctl.d(5))."""
    found = {}
    for name in names:
        patterns = [pattern for pattern in settings if "*" in pattern and fnmatchcase(name, pattern)]
        if name in settings:
            found[name] = settings[name]
        elif patterns:
            found[name] = settings[patterns[-1]]
    return found


def effective(settings: Mapping[str, str], name: str, left_out: tuple[str, ...] = ()) -> dict[str, str]:
    """What the kernel does: the value itself, or for ``conf.*`` the effective value on every interface.

    Args:
        settings: The running kernel's settings.
        name: A setting; ``*`` stands for ``default`` and for every interface except the loopback.
        left_out: How the names of further interfaces begin for which ``*`` does not stand.
    """
    pattern = _INTERFACE_SETTING.fullmatch(name)
    if pattern is None:
        return {name: settings[name]} if name in settings else {}
    family, setting = pattern.groups()
    found = {}
    for key, value in settings.items():
        # The name of an interface may have dots of its own (eth0.100).
        interface = key.removeprefix(f"{family}.").removesuffix(f".{setting}")
        judged = interface not in {"all", _LOOPBACK} and not interface.startswith(left_out)
        if judged and key == f"{family}.{interface}.{setting}":
            everywhere = settings.get(f"{family}.all.{setting}", value)
            found[key] = value if interface == "default" else _combined(family, setting, everywhere, value)
    return found


def _combined(family: str, setting: str, everywhere: str, interface: str) -> str:
    if family == "net.ipv4.conf":
        values = (int(everywhere), int(interface))
        if setting in _EITHER:
            return str(int(any(values)))
        if setting in _BOTH:
            return str(int(all(values)))
        if setting in _HIGHER:
            return str(max(values))
    return interface
