"""Mount options."""

import shlex

from palisade.verification.check import require


def test_options(control, observation, readings):
    """The kernel's table of mounts has the options, and so has the unit that mounts at the next start."""
    mount, wanted = control.expected["mount"], control.expected["options"]
    status, options = readings.status_and_output(f"findmnt --noheadings --output OPTIONS --mountpoint {mount}")
    observation.runtime = sorted(options.strip().split(",")) if status == 0 else []
    problems = [f"{mount} is mounted without {name}" for name in wanted if name not in observation.runtime]
    if "unit" in control.expected:
        text = readings.status_and_output(f"systemctl cat {shlex.quote(control.expected['unit'])}")[1]
        lines = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Options=")]
        observation.file = sorted(lines[-1].split(",")) if lines else []
        unit = control.expected["unit"]
        problems += [f"{unit} does not mount with {name}" for name in wanted if name not in observation.file]
    require(problems)
