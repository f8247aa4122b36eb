"""Kernel settings and modules."""

from palisade.verification import sysctl
from palisade.verification.check import compare, differences, not_assessable, require
from palisade.verification.targets import nodes_of_others

SHARED_KERNEL = "the host is a container and shares the kernel of its machine"


def test_network_setting(control, observation, readings):
    """The files set it, and it is in effect on every interface."""
    wanted = control.expected["settings"]
    other = readings.target in nodes_of_others(readings.fleet)
    there = control.expected.get("on_nodes_of_others", {}) if other else {}
    in_files = sysctl.expected_in_files(wanted) | there.get("files", {})
    left_out = tuple(there.get("interfaces_left_out", ()))
    observation.file = sysctl.in_files(sysctl.configured(readings), in_files)
    running = {name: sysctl.effective(sysctl.running(readings), name, left_out) for name in wanted}
    observation.runtime = {key: value for found in running.values() for key, value in found.items()}
    problems = differences(in_files, observation.file, source="sysctl.d")
    for name, value in wanted.items():
        problems += [] if running[name] else [f"{name} is not known to the running kernel"]
        problems += differences(
            dict.fromkeys(running[name], value), running[name], source="the running kernel (in effect)"
        )
    require(problems)


def test_kernel_wide_setting(control, observation, readings):
    """The files set it, and the kernel has it where the kernel is the host's own."""
    require(compare(control, observation, file=_in_files(control, readings), source="sysctl.d"))
    if readings.in_container:
        not_assessable(SHARED_KERNEL)
    running = sysctl.running(readings)
    require(compare(control, observation, file=_in_files(control, readings), runtime=running, source="sysctl.d"))


def _in_files(control, readings):
    return sysctl.in_files(sysctl.configured(readings), control.expected["settings"])


def test_denied_module(control, observation, readings):
    """Modprobe refuses to load the modules, and they are not loaded."""
    lines = readings.output("modprobe --showconfig").splitlines()
    observation.file, problems = {}, []
    for module in control.expected["modules"]:
        name = module.replace("-", "_")
        wanted = [f"blacklist {name}", f"install {name} /bin/false"]
        observation.file[module] = [line for line in lines if line in wanted]
        problems += [f"modprobe has no line {line!r}" for line in wanted if line not in lines]
    require(problems)
    if readings.in_container:
        not_assessable(SHARED_KERNEL)
    loaded = {line.split()[0] for line in readings.output("cat /proc/modules").splitlines()}
    observation.runtime = sorted(loaded & {module.replace("-", "_") for module in control.expected["modules"]})
    require(f"the module {module} is loaded" for module in observation.runtime)
