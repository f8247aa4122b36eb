"""The journal."""

from palisade.verification.check import compare, require
from palisade.verification.files import systemd_settings

FILES = "/etc/systemd/journald.conf /etc/systemd/journald.conf.d/*.conf"


def test_setting(control, observation, readings):
    """All files together say it; where the running journal shows it, it is so."""
    started = readings.output(
        "systemctl show systemd-journald.service --timestamp=unix --property=ActiveEnterTimestamp --value"
    )
    changed = readings.status_and_output(f"stat --format=%Y -- {FILES} 2>/dev/null")[1].split()
    open_files = readings.output("ls -l /proc/$(systemctl show systemd-journald --property=MainPID --value)/fd")
    runtime = {
        "reads_its_file": "yes" if int(started.strip().removeprefix("@")) >= max(map(int, changed)) else "no",
        "written_to": "/var/log/journal" if "/var/log/journal/" in open_files else "/run/log/journal",
    }
    document = "systemd/journald.conf"
    file = systemd_settings(readings, document)
    runtime = runtime if "runtime" in control.expected else None
    require(compare(control, observation, file=file, runtime=runtime, source=document))
