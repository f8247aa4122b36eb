"""The database server: its files, what it says of itself while it runs, and what somebody meets who wants to log in."""

import json
import time
from ipaddress import ip_network

from palisade.fleet import HostGroup
from palisade.verification.check import compare, differences, require
from palisade.verification.databases import confinement, rows, settings
from palisade.verification.files import text_of, unit_properties

PORT = 5432
FILE = "/etc/postgresql/17/main/conf.d/palisade.conf"
HBA = "/etc/postgresql/17/main/pg_hba.conf"
RESULT = "/var/lib/postgresql/restore-check.json"


def _file_settings(readings):
    lines = [line.partition("=") for line in text_of(readings, FILE).splitlines() if not line.startswith("#")]
    return {name.strip(): value.strip().strip("'") for name, separator, value in lines if separator}


def _login(readings, user, version, *, source=None):
    """What the server answers to somebody on this host, or on another one."""
    asking = readings if source is None else source
    address = str(readings.target.address)
    return asking.probe("postgresql_login", address, str(PORT), user, "registry", version)


def test_settings(control, observation, readings):
    """The file says it, and the running server does it."""
    runtime = readings.once("postgresql settings", lambda: settings(readings))
    require(compare(control, observation, file=_file_settings(readings), runtime=runtime, source=FILE))


def test_tls(control, observation, readings):
    """Which versions of TLS the server agrees on, and where it listens."""
    file = _file_settings(readings)
    address = str(readings.target.address)
    observation.file = {name: file.get(name) for name in control.expected["settings"]}
    offered = {version: _login(readings, "registry", version)["tls"] for version in control.expected["offered"]}
    observation.runtime = {"agreed on": offered, "listens on": _listens_on(readings, PORT)}
    problems = differences(control.expected["settings"], observation.file, source=FILE)
    problems += differences(control.expected["offered"], offered, source="the running server")
    if observation.runtime["listens on"] != [f"{address}:{PORT}"]:
        problems.append(f"the server listens on {', '.join(observation.runtime['listens on'])}")
    require(problems)


def _listens_on(readings, port):
    lines = readings.output("ss -Hltn").splitlines()
    return sorted(words[3] for words in map(str.split, lines) if words[3].endswith(f":{port}"))


def test_logins(control, observation, readings, readings_of):
    """Who may log in from where, as the server's file says it and as a registry host, and this host, meet it."""
    registry = readings.fleet.in_group(HostGroup.REGISTRY)
    sources = [ip_network(host.address) for host in registry] or readings.fleet.database_sources
    observation.file = _rules(text_of(readings, HBA))
    wanted = [tuple(words) for words in control.expected["rules"]]
    wanted += [
        ("hostssl", name, user, str(source), "scram-sha-256")
        for name, user in control.expected["users"].items()
        for source in sources
    ]
    problems = [f"{' '.join(rule)} is not expected in {HBA}" for rule in observation.file if rule not in wanted]
    problems += [f"{' '.join(rule)} is missing in {HBA}" for rule in wanted if rule not in observation.file]
    untried = {"registry": "the fleet has no such host"} if not registry else {}
    if any(readings.target.address in source for source in sources):
        untried["database"] = "this host is in a network that may connect"
    observation.runtime = answers = {}
    for entry in control.expected["attempts"]:
        words = f"{entry['user']} from {entry['from']}, {entry['tls']}"
        if entry["from"] in untried:
            answers[words] = untried[entry["from"]]
            continue
        source = readings_of(registry[0]) if entry["from"] == "registry" else None
        answer = answers[words] = _login(readings, entry["user"], entry["tls"], source=source)["answer"]
        if entry["answer"] not in answer:
            problems.append(f"{words} met {answer!r}, expected {entry['answer']!r}")
    require(problems)


def _rules(text):
    return [tuple(line.split()) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_query(control, observation, readings):
    """Every query gives exactly what is expected."""
    found = {}
    for name, entry in control.expected["queries"].items():
        answer = rows(readings, entry["query"], database=entry.get("database", "postgres"))
        found[name] = [value for row in answer for value in row.values()]
    observation.runtime = found
    require(
        f"{name}: {_words(found[name])}, expected {_words(entry['gives'])}"
        for name, entry in control.expected["queries"].items()
        if found[name] != entry["gives"]
    )


def _words(values):
    return ", ".join(map(str, values)) or "none"


def test_archive(control, observation, readings):
    """Changes are archived, and the last attempt to do so succeeded."""
    runtime = readings.once("postgresql settings", lambda: settings(readings))
    problems = compare(control, observation, file=_file_settings(readings), runtime=runtime, source=FILE)
    (archiver,) = rows(
        readings,
        "SELECT archived_count > 0 AS works, last_failed_time > last_archived_time AS fails FROM pg_stat_archiver",
    )
    observation.runtime |= archiver
    if not archiver["works"]:
        problems.append("nothing has been archived yet")
    if archiver["fails"]:
        problems.append("the last attempt to archive failed")
    require(problems)


def test_backup(control, observation, readings):
    """The newest backup is young and whole, enough of them are kept, and the next one will be made."""
    (info,) = json.loads(readings.output("runuser --user=postgres -- pgbackrest --stanza=main --output=json info"))
    backups = info["backup"]
    age = time.time() - max((backup["timestamp"]["stop"] for backup in backups), default=0)
    observation.file = {"retention": _retention(readings)}
    observation.runtime = {
        "status": info["status"]["message"],
        "backups": len(backups),
        "hours_since_the_newest": round(age / 3600, 1),
    }
    problems = differences({"retention": control.expected["kept"]}, observation.file, source="/etc/pgbackrest.conf")
    if info["status"]["code"] != 0:
        problems.append(f"pgBackRest says: {info['status']['message']}")
    if age > control.expected["hours"] * 3600:
        problems.append(f"the newest backup is {age / 3600:.0f} hours old")
    if any(backup["error"] for backup in backups[-1:]):
        problems.append("the newest backup has pages with wrong checksums")
    require(problems + _timer(readings, "palisade-postgresql-backup.timer"))


def _retention(readings):
    lines = text_of(readings, "/etc/pgbackrest.conf").splitlines()
    return next((int(line.partition("=")[2]) for line in lines if line.startswith("repo1-retention-full=")), None)


def _timer(readings, unit):
    found = unit_properties(readings, unit)
    wanted = {"UnitFileState": "enabled", "ActiveState": "active"}
    return [f"{unit}: {name} is {found.get(name)}" for name, value in wanted.items() if found.get(name) != value]


def test_restore(control, observation, readings):
    """A backup was restored not long ago, with every database in it, and that will be done again."""
    document = json.loads(text_of(readings, RESULT) or "{}")
    age = time.time() - document.get("time", 0)
    observation.runtime = {"days_ago": round(age / 86400, 1), "databases": sorted(document.get("databases", {}))}
    problems = (
        [f"the last restore that worked is {age / 86400:.0f} days ago"]
        if age > control.expected["days"] * 86400
        else []
    )
    missing = sorted(set(control.expected["databases"]) - set(observation.runtime["databases"]))
    problems += [f"{name} was not in it" for name in missing]
    require(problems + _timer(readings, "palisade-postgresql-restore-check.timer"))


def test_confinement(control, observation, readings):
    """What the kernel takes from the server's main process."""
    observation.runtime = confinement(readings, control.expected["unit"])
    require(differences(control.expected["process"], observation.runtime, source="the running process"))
