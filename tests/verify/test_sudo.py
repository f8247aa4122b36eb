"""Sudo's defaults: in the file, and as sudo itself tells them for the operators' account."""

from palisade.verification.check import differences, require
from palisade.verification.files import text_of

FILE = "/etc/sudoers.d/palisade-defaults"


def _defaults(text):
    settings = {}
    for entry in text.replace("\\,", "").split(","):
        name, _, value = entry.strip().partition("=")
        settings[name.lstrip("!")] = "off" if name.startswith("!") else (value.strip('"') or "on")
    return settings


def _in_file(text):
    lines = [line.split(None, 1)[1] for line in text.splitlines() if line.startswith("Defaults ")]
    return _defaults(",".join(lines))


def _told(text):
    """The defaults in the answer of ``sudo -l``: indented lines after the first one."""
    lines = text.split("may run the following")[0].splitlines()
    return _defaults(" ".join(line.strip() for line in lines if line.startswith(" ")))


def test_default(control, observation, readings):
    """The file sets it, and it is what sudo applies after all other files."""
    wanted = control.expected["settings"]
    file = _in_file(text_of(readings, FILE))
    told = _told(readings.output(f"sudo -l -U {readings.target.ssh_user}"))
    observation.file = {name: file[name] for name in wanted if name in file}
    observation.runtime = {name: told[name] for name in wanted if name in told}
    problems = [*differences(wanted, file, source=FILE), *differences(wanted, told, source="what sudo applies")]
    if "log_grows" in control.expected:
        log = control.expected["log_grows"]
        status, last = readings.status_and_output(f"tail -n 20 {log}")
        observation.runtime["log"] = "has entries" if status == 0 and last else "has none"
        problems += [] if "COMMAND=" in last else [f"sudo wrote nothing to {log}"]
    require(problems)
