"""What is shown before and after a login."""

import re

from palisade.verification import sshd
from palisade.verification.check import require
from palisade.verification.files import text_of

# agetty(8): these are replaced by the name and version of the system.
ESCAPES = re.compile(r"\\[mrsvSn]")
NAMES = re.compile(r"debian|linux|\d+\.\d+", re.IGNORECASE)


def test_notice(control, observation, readings):
    """The notice is there, reveals nothing, and is what a client sees before it logs in."""
    texts = {path: text_of(readings, path) for path in control.expected["files"]}
    observation.file = texts
    problems = []
    for path, text in texts.items():
        if control.expected["says"] not in text.lower().replace("authorized", "authorised"):
            problems.append(f"{path} does not say that access is for authorised people")
        if ESCAPES.search(text) or NAMES.search(text):
            problems.append(f"{path} reveals the name or version of the system")
    if control.expected.get("shown_before_login"):
        log = sshd.verbose_login(readings).log.replace("\r", "")
        shown = all(line in log for text in texts.values() for line in text.strip().splitlines())
        observation.runtime = "shown before the login" if shown else "not shown before the login"
        problems += [] if shown else ["a client does not see the notice before it logs in"]
    require(problems)
