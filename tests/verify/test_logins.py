"""What a fresh login gets."""

from palisade.verification import sshd
from palisade.verification.check import compare, differences, require
from palisade.verification.files import settings_of, text_of


def test_session(control, observation, readings):
    """A real login over SSH has the umask and the time-out."""
    file = settings_of(readings, "/etc/login.defs")
    problems = compare(control, observation, file=file, runtime=sshd.session(readings), source="/etc/login.defs")
    if "file" not in control.expected:
        observation.file = text_of(readings, "/etc/profile.d/palisade.sh")
    require(problems)


def _limits(readings):
    """The limits of pam_limits(8) in its files, and whether logins have them."""
    lines = readings.output("cat /etc/security/limits.conf /etc/security/limits.d/*.conf").splitlines()
    words = [line.split() for line in lines if not line.lstrip().startswith("#")]
    limits = {" ".join(entry[:3]): entry[3] for entry in words if len(entry) == 4}
    applied = any(line.split()[2:3] == ["pam_limits.so"] for line in text_of(readings, "/etc/pam.d/sshd").splitlines())
    return limits, {"sshd_applies_limits": "yes" if applied else "no"}


def test_limit(control, observation, readings):
    """The limits of pam_limits(8): in the files, and in a real login."""
    limits, applied = _limits(readings)
    runtime = sshd.session(readings) | applied
    require(compare(control, observation, file=limits, runtime=runtime, source="/etc/security/limits.d"))


def test_limit_for_ways_through(control, observation, readings):
    """As many logins of one user as the hosts of the fleet need, and no more."""
    limits, applied = _limits(readings)
    wanted = str(control.expected["own"] + control.expected["for_each_host"] * len(readings.fleet.hosts))
    observation.file = {"* hard maxlogins": limits.get("* hard maxlogins")}
    problems = compare(control, observation, runtime=applied, source="/etc/pam.d/sshd")
    require([*problems, *differences({"* hard maxlogins": wanted}, limits, source="/etc/security/limits.d")])
