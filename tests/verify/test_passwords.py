"""Passwords, lock-out and new accounts: what PAM and the account tools really do (see ``probes/rehearse.py``)."""

from palisade.verification.check import differences, require
from palisade.verification.files import settings_of, text_of


def test_rule(control, observation, readings):
    """The files say it, and a rehearsal in a private copy of /etc shows it."""
    expected = control.expected
    files = {path: settings_of(readings, path) for path in expected.get("file", {})}
    observation.file = {
        path: {name: files[path][name] for name in wanted if name in files[path]}
        for path, wanted in expected.get("file", {}).items()
    }
    problems = [
        problem
        for path, wanted in expected.get("file", {}).items()
        for problem in differences(wanted, files[path], source=path)
    ]
    if "stack" in expected:
        lines = _lines_of(readings, expected["stack"])
        observation.file = lines
        problems += _stack_problems(expected["stack"], lines)
    answers = readings.probe("rehearse", expected["rehearsal"])
    observation.runtime = {name: answers[name] for name in expected["runtime"]}
    verdicts = {name: answer.split(":")[0] for name, answer in observation.runtime.items()}
    require([*problems, *differences(expected["runtime"], verdicts, source="the rehearsal")])


def _lines_of(readings, stack):
    lines = text_of(readings, stack["file"]).splitlines()
    return [line for line in lines if stack["module"] in line.split("#")[0].split()]


def _stack_problems(stack, lines):
    module, file = stack["module"], stack["file"]
    if not lines:
        return [f"{module} is not used in {file}"]
    words = [line.split() for line in lines]
    problems = []
    if "has" in stack:
        problems += [f"{module} is used without {stack['has']} in {file}" for line in words if stack["has"] not in line]
    if "lacks" in stack:
        problems += [f"{module} is used with {stack['lacks']} in {file}" for line in words if stack["lacks"] in line]
    return problems
