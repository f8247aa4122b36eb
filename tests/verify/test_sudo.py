"""Sudo's defaults: in the file, and as sudo itself tells them for the operators' account."""

import re

from palisade.verification.check import differences, require
from palisade.verification.files import text_of, unit_properties

FILE = "/etc/sudoers.d/palisade-defaults"
RULE = "/etc/logrotate.d/palisade-sudo"


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


def test_log_is_rotated(control, observation, readings):
    """The file says how long the log is kept, logrotate says it of all its files together, and its timer runs."""
    log, least = control.expected["log"], control.expected["weeks_at_least"]
    rule = text_of(readings, RULE)
    told = readings.status_and_output("logrotate --debug /etc/logrotate.conf 2>&1")[1]
    timer = unit_properties(readings, "logrotate.timer")
    kept = {
        RULE: re.findall(rf"^{re.escape(log)} {{[^}}]*^\s*weekly$[^}}]*^\s*rotate (\d+)$", rule, re.MULTILINE),
        "what logrotate applies": re.findall(
            rf"^rotating pattern: {re.escape(log)}\s+weekly\b.*\((\d+) rotations\)", told, re.MULTILINE
        ),
    }
    observation.file = {"weeks": kept[RULE]}
    observation.runtime = {
        "weeks": kept["what logrotate applies"],
        **{name: timer.get(name, "") for name in control.expected["timer"]},
    }
    require(
        [
            *differences(control.expected["timer"], timer, source="logrotate.timer"),
            *(
                f"{log} is not kept for {least} weeks or more in {source}: {', '.join(weeks) or 'no rule'}"
                for source, weeks in kept.items()
                if len(weeks) != 1 or int(weeks[0]) < least
            ),
        ]
    )
