"""Who may read, change and run what on disk."""

from palisade.verification.check import differences, require
from palisade.verification.files import attributes_of

# One walk through the host's own file systems finds all that is asked for here.
WALK = (
    r"find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run \) -prune -o "
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


def _found(readings, kind):
    lines = [line.partition(" ") for line in readings.status_and_output(WALK)[1].splitlines()]
    return sorted(path for found, _, path in lines if found == kind)


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
    """A walk through all file systems of the host finds nothing."""
    kind, words = FINDINGS[control.expected["finding"]]
    observation.file = _found(readings, kind)
    require(f"{path} {words}" for path in observation.file)
