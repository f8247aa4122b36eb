"""The clock."""

from palisade.verification.check import compare, not_assessable, require
from palisade.verification.files import settings_of

FILE = "/etc/chrony/chrony.conf"
SOURCES_OF_A_POOL = 4


def _runtime(readings):
    sockets = [line for line in readings.output("ss -Hlunp").splitlines() if '"chronyd"' in line]
    properties = readings.output(
        "systemctl show chrony.service --timestamp=unix --property=ActiveState,ActiveEnterTimestamp --value"
    ).split()
    changed = readings.status_and_output(f"stat --format=%Y {FILE}")[1].strip() or "0"
    started = properties[1].removeprefix("@") if properties[1:] else "0"
    return {
        "listens_on": sorted(line.split()[3] for line in sockets),
        "runs_as": sorted(set(readings.status_and_output("ps -C chronyd -o user=")[1].split())),
        "started_after_its_file": "yes" if properties[0] == "active" and int(started) >= int(changed) else "no",
    }


def test_chrony(control, observation, readings):
    """The file says it, and the running daemon shows it."""
    file = settings_of(readings, FILE)
    require(compare(control, observation, file=file, runtime=_runtime(readings), source=FILE))


def test_sources(control, observation, readings):
    """Enough sources are configured, and the clock agrees with them where any can be reached."""
    lines = readings.status_and_output(f"grep -E '^(pool|server|peer) ' {FILE}")[1].splitlines()
    observation.file = lines
    configured = sum(SOURCES_OF_A_POOL if _is_full_pool(line.split()) else 1 for line in lines)
    wanted = control.expected["sources"]
    require([] if configured >= wanted else [f"{configured} sources are configured in {FILE}, expected {wanted}"])
    status, tracking = readings.status_and_output("chronyc -c tracking")
    require([] if status == 0 else ["chronyd does not answer"])
    fields = tracking.strip().split(",")
    observation.runtime = {"reference": fields[1], "offset_seconds": fields[4]}
    if not fields[1] or fields[0] == "00000000":
        not_assessable("no time source answers from here, so the clock has nothing to agree with")
    offset = abs(float(fields[4]))
    require([] if offset <= control.expected["seconds"] else [f"the clock is {offset:.3f} s from its sources"])


def _is_full_pool(words):
    return words[0] == "pool" and ("maxsources" not in words or int(words[words.index("maxsources") + 1]) >= 4)
