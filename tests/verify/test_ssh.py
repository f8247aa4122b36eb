"""The SSH daemon."""

from palisade.fleet import HostGroup
from palisade.verification import sshd
from palisade.verification.check import differences, require
from palisade.verification.files import attributes_of, text_of

REFUSED = "administratively prohibited"


def _problems(control, observation, readings):
    """The file says it, and the running daemon has read the file."""
    wanted = control.expected.get("settings", {})
    file = sshd.configured(readings)
    observation.file = {name: file[name] for name in wanted if name in file}
    observation.runtime = {"has_read_its_file": sshd.reads_its_file(readings)}
    problems = differences(wanted, file, source=sshd.CONFIGURATION)
    if not observation.runtime["has_read_its_file"]:
        problems.append("the running daemon does not use the file as it is now")
    return problems


def test_setting(control, observation, readings):
    """A setting that only the file and the daemon's start can show."""
    require(_problems(control, observation, readings))


def test_setting_parts(control, observation, readings):
    """A setting whose value is a list of parts, of which some must be there."""
    problems = _problems(control, observation, readings)
    file = sshd.configured(readings)
    for name, parts in control.expected["settings_contain"].items():
        observation.file[name] = file.get(name, "")
        words = observation.file[name].split()
        problems += [f"{name} lacks {part} in {sshd.CONFIGURATION}" for part in parts if part not in words]
    require(problems)


def test_algorithms(control, observation, readings):
    """The running daemon offers exactly these to a client, in both directions."""
    problems = _problems(control, observation, readings)
    offered = sshd.offered(readings)
    wanted = control.expected.get("offered", control.expected["settings"])
    for name, value in wanted.items():
        for direction in [key for key in (name, f"{name}_to_client") if key in offered]:
            observation.runtime[direction] = offered[direction]
            if sorted(offered[direction]) != sorted(value):
                extra = ", ".join(sorted(set(offered[direction]) - set(value))) or "nothing else"
                missing = ", ".join(sorted(set(value) - set(offered[direction]))) or "nothing"
                problems.append(f"the daemon offers besides: {extra}; and does not offer: {missing} ({direction})")
    require(problems)


def test_login_methods(control, observation, readings):
    """A client that has not logged in is offered these methods and no other."""
    problems = _problems(control, observation, readings)
    observation.runtime["methods"] = sshd.offered_methods(readings)
    if observation.runtime["methods"] != control.expected["methods"]:
        problems.append(f"the daemon lets clients try {', '.join(observation.runtime['methods']) or 'nothing'}")
    require(problems)


def test_group(control, observation, readings):
    """The group may log in, and exactly those are in it whom the fleet names."""
    problems = _problems(control, observation, readings)
    group = control.expected["group"]
    found = readings.status_and_output(f"getent group {group}")[1].strip()
    observation.runtime["members"] = sorted(found.split(":")[3].split(",")) if found else []
    members, wanted = observation.runtime["members"], sorted([readings.target.ssh_user, *readings.target.logins])
    if members != wanted:
        problems.append(f"the members of {group} are {', '.join(members) or 'nobody'}, expected {', '.join(wanted)}")
    require(problems)


def test_host_keys(control, observation, readings):
    """The key is the only one on disk, and closed to others."""
    problems = _problems(control, observation, readings)
    found = readings.status_and_output("ls /etc/ssh/ssh_host_*_key 2>/dev/null")[1].split()
    wanted = control.expected["private_keys"]
    observation.file["private_keys"] = attributes_of(readings, tuple(found)) if found else {}
    problems += differences(wanted, observation.file["private_keys"], source="/etc/ssh")
    require([*problems, *(f"{path} is there besides" for path in found if path not in wanted)])


def test_forwarding(control, observation, readings):
    """A real client asks for forwarded connections."""
    problems = _problems(control, observation, readings)
    fleet, target = readings.fleet, readings.target
    addresses = {group.value: host.address for group in HostGroup for host in fleet.in_group(group)}
    if control.expected.get("open") == "ssh_of_every_other_host":
        others = [f"{host.address}:{host.ssh_port}" for host in fleet.hosts if host.name != target.name]
        observation.file["permitopen"] = sshd.configured(readings).get("permitopen", [])
        if sorted(observation.file["permitopen"]) != sorted(others):
            problems.append(f"PermitOpen is {', '.join(observation.file['permitopen'])}, not {', '.join(others)}")
    for place in control.expected["refused"]:
        destination = place.format(**addresses)
        answer = readings.forward(destination)
        observation.runtime[destination] = REFUSED if REFUSED in answer.log else answer.log.strip()
        if REFUSED not in answer.log:
            problems.append(f"a connection to {destination} is carried (or fails for another reason)")
    require(problems)


def test_one_file(control, observation, readings):
    """No line includes another file, and none holds for some connections only."""
    problems = _problems(control, observation, readings)
    lines = [line.split()[0] for line in text_of(readings, sshd.CONFIGURATION).splitlines() if line.split()]
    observation.file["keywords"] = sorted({name for name in lines if name in control.expected["absent"]})
    require([*problems, *(f"{sshd.CONFIGURATION} has a line {name}" for name in observation.file["keywords"])])
