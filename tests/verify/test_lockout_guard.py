"""The guard against locking the operators out."""

from palisade.verification.check import require
from palisade.verification.files import attributes_of, unit_properties


def test_installed(control, observation, readings):
    """The guard is there, only root can change it, and its timer is started at every start of the host."""
    found = {unit: unit_properties(readings, unit) for unit in control.expected["units"]}
    files = attributes_of(readings, tuple(control.expected["files"]))
    observation.file, observation.runtime = files, found
    problems = [
        f"{unit}: {name} is {found[unit].get(name, '')!r}, expected {value!r}"
        for unit, wanted in control.expected["units"].items()
        for name, value in wanted.items()
        if found[unit].get(name, "") != value
    ]
    for path, owner in control.expected["files"].items():
        mode, _, found_owner = files.get(path, "0777 missing").partition(" ")
        if found_owner != owner or int(mode, 8) & 0o022:
            problems.append(f"{path} is {files.get(path, 'missing')}, but only {owner} may change it")
    require(problems)


def test_nothing_pending(control, observation, readings):
    """No change waits for its confirmation."""
    observation.file = attributes_of(readings, tuple(control.expected["absent"]))
    require(f"{path} is there: a change was never confirmed" for path in observation.file)
