"""Who may read, change and run what on disk."""

import shlex

from palisade.verification.check import differences, require
from palisade.verification.files import attributes_of, file_systems_of
from palisade.verification.readings import ReadingFailedError

# What the kernel makes up, and what belongs to containers, with owners and rights of their own.
LEFT_OUT = (
    *("/proc", "/sys", "/dev", "/run"),
    *("/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/kubelet"),
)
# One walk through the host's own file systems finds all that is asked for here.
WALK = (
    "-xdev " + rf"\( {' -o '.join(f'-path {folder}' for folder in LEFT_OUT)} \) -prune -o "
    r"\( -type f -perm /6000 -printf 'privileged %p\n' \) , "
    r"\( -type f -perm -0002 -printf 'writable %p\n' \) , "
    r"\( -type d -perm -0002 ! -perm -1000 -printf 'shared %p\n' \) , "
    r"\( \( -nouser -o -nogroup \) -printf 'unowned %p\n' \)"
)
FINDINGS = {
    "files_writable_by_all": ("writable", "can be written by everybody"),
    "shared_directories_without_sticky_bit": ("shared", "is shared without the sticky bit"),
    "files_without_owner": ("unowned", "belongs to no account"),
}


# It runs with the rights of root on every host: Palisade itself could not read there without it.
SURELY_THERE = ("privileged", "/usr/bin/sudo")


def _found(readings, kind):
    starts = [
        place
        for place in file_systems_of(readings)
        if not any(place == folder or place.startswith(f"{folder}/") for folder in LEFT_OUT)
    ]
    status, output = readings.status_and_output(f"find {shlex.join(starts)} {WALK}")
    found = {(kind, path) for kind, _, path in (line.partition(" ") for line in output.splitlines())}
    if status not in {0, 1}:  # 1: a file went away during the walk
        raise ReadingFailedError(f"the walk through {', '.join(starts)} ended with exit code {status}")
    if SURELY_THERE not in found:
        raise ReadingFailedError(f"the walk through {', '.join(starts)} has not seen {SURELY_THERE[1]}")
    return sorted(path for one, path in found if one == kind)


def test_attributes(control, observation, readings):
    """Mode, owner and group."""

    def named(entries):
        operator = readings.target.ssh_user
        return {path.format(operator=operator): value.format(operator=operator) for path, value in entries.items()}

    files = named(control.expected["files"])
    optional = named(control.expected.get("if_present", {}))
    observation.file = attributes_of(readings, (*files, *optional))
    present = {path: value for path, value in optional.items() if path in observation.file}
    require(differences(files | present, observation.file, source="the file system"))


def test_privileged_programs(control, observation, readings):
    """Exactly the allowed programs run with the rights of their owner or group, where they are installed."""
    observation.file = _found(readings, "privileged")
    unknown = sorted(set(observation.file) - set(control.expected["allowed"]))
    require(f"{path} runs with the rights of its owner or group" for path in unknown)


def test_none_found(control, observation, readings):
    """A walk through all file systems on the host's disks finds nothing."""
    kind, words = FINDINGS[control.expected["finding"]]
    observation.file = _found(readings, kind)
    require(f"{path} {words}" for path in observation.file)
