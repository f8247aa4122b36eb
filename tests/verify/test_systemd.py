"""Units and the settings of the system manager."""

from palisade.verification.check import compare, require
from palisade.verification.files import systemd_settings, unit_properties


def test_unit(control, observation, readings):
    """Units stand as expected, now (ActiveState) and at the next start (UnitFileState)."""
    found = {unit: unit_properties(readings, unit) for unit in control.expected["units"]}
    observation.file = {unit: properties.get("UnitFileState", "") for unit, properties in found.items()}
    observation.runtime = {unit: properties["ActiveState"] for unit, properties in found.items()}
    problems = []
    for unit, wanted in control.expected["units"].items():
        for name, value in wanted.items():
            allowed = value if isinstance(value, list) else [value]
            if found[unit].get(name, "") not in allowed:
                problems.append(f"{unit}: {name} is {found[unit].get(name, '')!r}, expected {' or '.join(allowed)}")
    require(problems)


def test_manager_setting(control, observation, readings):
    """The manager's files say it, and so does the manager where it shows it."""
    document = control.expected["document"]
    runtime = None
    if "runtime" in control.expected:
        shown = readings.output(f"systemctl show --property={','.join(control.expected['runtime'])}").splitlines()
        runtime = dict(line.split("=", 1) for line in shown)
    file = systemd_settings(readings, document)
    require(compare(control, observation, file=file, runtime=runtime, source=document))
