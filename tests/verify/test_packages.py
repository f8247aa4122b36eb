"""Software that must not be there."""

from palisade.verification.check import require
from palisade.verification.files import packages


def test_absent(control, observation, readings):
    """The packages are not installed, their commands cannot be run, and nothing listens on their ports."""
    installed = packages(readings)
    observation.file = sorted(name for name in control.expected["absent"] if name in installed)
    commands = readings.status_and_output("ls /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin")[1].split()
    listening = {line.split()[4].rpartition(":")[2] for line in readings.output("ss -Hltun").splitlines()}
    observation.runtime = {
        "commands": sorted(name for name in control.expected.get("commands", []) if name in commands),
        "ports": sorted(port for port in control.expected.get("ports", []) if str(port) in listening),
    }
    require(
        [
            *(f"the package {name} is installed" for name in observation.file),
            *(f"the command {name} is there" for name in observation.runtime["commands"]),
            *(f"something listens on port {port}" for port in observation.runtime["ports"]),
        ]
    )
