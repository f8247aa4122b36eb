"""junit.xml has the structure that the parsers of CI servers share, whatever the values are."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from evidence_sample import a_control, a_registry, a_result, a_run, every_status

from palisade.evidence.junit import junit_document
from palisade.results import Status

REQUIRED = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "hostname", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "skipped": {"message"},
}
"""Element and its attributes, as in the Apache Ant, Jenkins xUnit plugin and GitLab readings of the format."""
CHILDREN = {
    "testsuites": "(testsuite )*",
    "testsuite": "properties (testcase )*",
    "properties": "(property )*",
    "property": "",
    "testcase": "((failure|skipped) )?",
    "failure": "",
    "skipped": "",
}
PATTERNS = {
    "tests": r"\d+",
    "failures": r"\d+",
    "errors": "0",
    "skipped": r"\d+",
    "time": r"\d+\.\d{3}",
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
}


def _parsed(document: bytes) -> ET.Element:
    assert document.startswith(b"<?xml")
    return ET.fromstring(document)  # noqa: S314 - our own output


def _assert_structure(element: ET.Element) -> None:
    assert set(element.attrib) == REQUIRED[element.tag]
    assert re.fullmatch(CHILDREN[element.tag], "".join(f"{child.tag} " for child in element))
    for name, value in element.attrib.items():
        assert re.fullmatch(PATTERNS.get(name, r"(?s).+"), value), (element.tag, name, value)
    for child in element:
        _assert_structure(child)


def test_structure_and_totals() -> None:
    root = _parsed(junit_document(*every_status()))
    _assert_structure(root)
    assert {suite.get("name"): suite.get("tests") for suite in root} == {"db-1": "3", "registry-1": "4"}
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("7", "1", "3")
    for suite in root:
        assert len(suite.findall("testcase")) == int(suite.get("tests", ""))
        assert len(suite.findall(".//failure")) == int(suite.get("failures", ""))
        assert len(suite.findall(".//skipped")) == int(suite.get("skipped", ""))


def test_an_empty_run_is_still_a_document() -> None:
    _assert_structure(_parsed(junit_document(a_run([]), a_registry())))


@pytest.mark.parametrize(
    ("status", "tag", "message"),
    [
        (Status.PASS, None, None),
        (Status.FAIL, "failure", "net.ipv4.ip_forward is '1' in the running kernel, expected '0'"),
        (Status.NOT_ASSESSABLE, "skipped", "not assessable: The kernel is shared with the machine that runs the"),
        (
            Status.WAIVED,
            "skipped",
            "waived until 2026-12-15: The old catalogue needs a tunnel until it is moved. (Allow",
        ),
    ],
)
def test_each_status(status: Status, tag: str | None, message: str | None) -> None:
    run = a_run([a_result("some-control", "db-1", status)])
    case = _parsed(junit_document(run, a_registry(a_control("some-control")))).find(".//testcase")
    assert case is not None
    assert case.get("classname") == "db-1.os_hardening.sysctl"
    assert case.get("name") == "some-control: The title of some-control"
    assert [child.tag for child in case] == ([tag] if tag else [])
    if message:
        assert (case[0].get("message") or "").startswith(message)


def test_a_failure_shows_what_was_expected_and_read() -> None:
    failure = _parsed(junit_document(*every_status())).find(".//failure")
    assert failure is not None
    assert "expected\nnet.ipv4.ip_forward: 0" in (failure.text or "")
    assert "at runtime\n1" in (failure.text or "")
    assert "tests/verify/test_sysctl.py::test_value" in (failure.text or "")


def test_values_that_xml_does_not_allow() -> None:
    hostile = "\x00\x1b]]></failure>\ufffe\udc80<b>&"
    run = a_run([a_result("some-control", "db-1", Status.FAIL, runtime=hostile, reason=hostile)])
    root = _parsed(junit_document(run, a_registry(a_control("some-control"))))
    _assert_structure(root)
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == "\\x00\\x1b]]></failure>\\ufffe\\udc80<b>&"
