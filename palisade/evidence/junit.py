"""``junit.xml``: what continuous integration servers show, one test suite per target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from palisade.controls import Control, ControlRegistry
from palisade.evidence.values import natural, printable, readable
from palisade.results import CheckResult, Status, VerificationRun


def junit_document(run: VerificationRun, registry: ControlRegistry) -> bytes:
    """The run in the JUnit format that Jenkins, GitLab and GitHub actions read.

    ``waived`` and ``not_assessable`` are ``skipped`` with their reason: a CI server must not count them as passed.
    """
    root = ET.Element("testsuites", {"name": f"palisade verify {printable(run.environment)}", **_totals(run.results)})
    root.set("time", _seconds(run.duration_seconds))
    controls = {control.id: control for control in registry.controls}
    by_target: dict[str, list[CheckResult]] = defaultdict(list)
    for result in sorted(run.results, key=lambda result: result.control):
        by_target[result.target].append(result)
    for target in sorted(by_target, key=natural):
        root.append(_suite(run, controls, target, by_target[target]))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(
    run: VerificationRun, controls: Mapping[str, Control], target: str, results: Sequence[CheckResult]
) -> ET.Element:
    suite = ET.Element("testsuite", {"name": printable(target), "hostname": printable(target), **_totals(results)})
    # The format has no time zone; UTC, as everywhere in the bundle.
    suite.set("timestamp", run.started.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    suite.set("time", _seconds(sum(result.duration_seconds for result in results)))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("environment", run.environment), ("commit", run.commit)):
        ET.SubElement(properties, "property", name=name, value=printable(value))
    for result in results:
        suite.append(_case(controls[result.control], result))
    return suite


def _case(control: Control, result: CheckResult) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=".".join((printable(result.target), *control.implemented_by.heading)),
        name=f"{control.id}: {printable(control.title)}",
        time=_seconds(result.duration_seconds),
    )
    reason = printable(result.reason)
    if result.status is Status.FAIL:
        failure = ET.SubElement(case, "failure", type="control", message=reason)
        failure.text = (
            f"{reason}\n\nexpected\n{readable(result.expected)}\n\nin the file\n{readable(result.observed.file)}\n\n"
            f"at runtime\n{readable(result.observed.runtime)}\n\nverified by {control.verified_by}\n"
        )
    elif result.waiver:
        message = f"waived until {result.waiver.expires.isoformat()}: {printable(result.waiver.reason)} ({reason})"
        ET.SubElement(case, "skipped", message=message)
    elif result.status is not Status.PASS:
        ET.SubElement(case, "skipped", message=f"{result.status.value.replace('_', ' ')}: {reason}")
    return case


def _totals(results: Sequence[CheckResult]) -> dict[str, str]:
    failures = sum(result.status is Status.FAIL for result in results)
    passed = sum(result.status is Status.PASS for result in results)
    return {
        "tests": str(len(results)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(len(results) - failures - passed),
    }


def _seconds(duration: float) -> str:
    return f"{duration:.3f}"
