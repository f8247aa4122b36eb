"""The cache: what its files say, what the running server was started with, and what somebody meets who connects."""

from palisade.verification.check import differences, require
from palisade.verification.files import text_of

PORT = 6380
FILE = "/etc/palisade/redis/redis.conf"
UNIT = "redis-server.service"
USERS = "/etc/palisade/redis/users.acl"
LOADED_USERS = "/run/credentials/redis-server.service/users.acl"


def _file_settings(readings):
    lines = [line.split(None, 1) for line in text_of(readings, FILE).splitlines() if line and not line.startswith("#")]
    return {words[0]: words[1].strip('"') if words[1].strip('"') else "" for words in lines if len(words) == 2}


def _started_after(readings, *paths):
    """The server shows its settings to nobody; what it was started with is what it has."""
    properties = readings.output(
        f"systemctl show {UNIT} --timestamp=unix --property=ActiveState,InactiveExitTimestamp --value"
    ).split()
    changed = readings.status_and_output(f"stat --format=%Y {' '.join(paths)}")[1].split()
    started = properties[1].removeprefix("@") if properties[1:] else "0"
    return properties[0] == "active" and bool(changed) and int(started) >= max(map(int, changed))


def _arguments(readings):
    return readings.output(f"tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value {UNIT})/cmdline").strip()


def test_settings(control, observation, readings):
    """The file says it, and the running server was started with that file."""
    file = _file_settings(readings)
    observation.file = {name: file.get(name) for name in control.expected["settings"]}
    observation.runtime = {"started_after_its_file": _started_after(readings, FILE), "process": _arguments(readings)}
    problems = differences(control.expected["settings"], observation.file, source=FILE)
    if not observation.runtime["started_after_its_file"]:
        problems.append("the server was not started after its file was changed")
    require(problems)


def test_tls(control, observation, readings):
    """Only this version of TLS is taken, and nothing listens that has none."""
    address = str(readings.target.address)
    found = readings.probe("tls", address, str(PORT))
    taken = sorted(name for name, answer in found["versions"].items() if answer["answer"] == "accepted")
    pids = readings.output(f"systemctl show --property=MainPID --value {UNIT}").strip()
    lines = [line.split() for line in readings.output("ss -Hltnp").splitlines() if f"pid={pids}," in line]
    observation.file = {name: _file_settings(readings).get(name) for name in control.expected["settings"]}
    observation.runtime = {"takes": taken, "listens on": sorted(words[3] for words in lines)}
    wanted = {"takes": control.expected["takes"], "listens on": [f"{address}:{PORT}"]}
    require(
        differences(control.expected["settings"], observation.file, source=FILE)
        + differences(wanted, observation.runtime, source="the running server")
    )


def test_strangers(control, observation, readings):
    """Who has said no name and password is answered nothing."""
    sent = list(control.expected["answers"])
    found = readings.probe("redis_commands", str(readings.target.address), str(PORT), "TLSv1.3", *sent)
    observation.runtime = dict(zip(sent, found["answers"], strict=False))
    require(
        f"{command} is answered {observation.runtime.get(command, 'nothing')!r}, expected {wanted!r}"
        for command, wanted in control.expected["answers"].items()
        if not observation.runtime.get(command, "").startswith(wanted)
    )


def test_rights(control, observation, readings):
    """What each user may do, as a server says it that was given the same file as the running one."""
    questions = [
        f"{user}={command}"
        for user, commands in control.expected["users"].items()
        for kind in ("allowed", "denied")
        for command in commands[kind]
    ]
    observation.file = readings.probe("redis_rights", USERS, *questions)
    observation.runtime = readings.probe("redis_rights", LOADED_USERS, *questions)
    problems = []
    for user, commands in control.expected["users"].items():
        for kind in ("allowed", "denied"):
            for command in commands[kind]:
                for source, found in ((USERS, observation.file), ("the running server", observation.runtime)):
                    if found[f"{user}={command}"] != kind:
                        problems.append(
                            f"{command} of {user} is {found[f'{user}={command}']} in {source}, expected {kind}"
                        )
    names = sorted(line.split()[1] for line in text_of(readings, USERS).splitlines() if line.startswith("user "))
    wanted = sorted([*control.expected["users"], "default"])
    require(problems + ([f"the users are {', '.join(names)}, expected {', '.join(wanted)}"] if names != wanted else []))
