"""How packages are updated."""

import re

from palisade.verification.check import compare, require
from palisade.verification.files import packages, text_of

FILE = "/etc/apt/apt.conf.d/90palisade"
SETTING = re.compile(r'^\s*([A-Za-z:_-]+)\s+"([^"]*)"\s*;', re.MULTILINE)


def test_setting(control, observation, readings):
    """The file sets it, and it is what apt makes of all its files together."""
    file = dict(SETTING.findall(text_of(readings, FILE)))
    runtime = dict(SETTING.findall(readings.output("apt-config dump")))
    problems = compare(control, observation, file=file, runtime=runtime, source=FILE)
    missing = [name for name in control.expected.get("installed", []) if name not in packages(readings)]
    require([*problems, *(f"the package {name} is not installed" for name in missing)])
