"""The report in a real browser: its script runs under its own policy, and the filter shows what was asked for.

Needs Chromium (Debian: chromium), which ``make test`` installs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from palisade.controls import Control, ControlRegistry, Framework, RoleTag
from palisade.evidence import write_bundle
from palisade.fleet import HostGroup
from palisade.results import CheckResult, Observation, Status, VerificationRun

TIME = datetime(2026, 11, 22, 6, 11, 31, tzinfo=UTC)
CONTROLS = {
    "always-passes": {Framework.GDPR: ("Art. 32(1)(b)",)},
    "cannot-be-shown": {Framework.GDPR: ("Art. 32(1)(b)",)},
    "fails-on-db-1": {Framework.NIST_800_53: ("SC-7",)},
}


def _control(identifier: str, references: dict[Framework, tuple[str, ...]]) -> Control:
    return Control(
        id=identifier,
        title=f"The title of {identifier}",
        why="Because an attacker could otherwise steer traffic.",
        applies_to=tuple(HostGroup),
        implemented_by=RoleTag(role="os_hardening", tag="sysctl"),
        verified_by="tests/verify/test_sysctl.py::test_value",
        expected={"value": "0"},
        proven_by="sysctl -w net.ipv4.ip_forward=1",
        references=references,
    )


def _status(control: str, host: str) -> Status:
    if control == "cannot-be-shown":
        return Status.NOT_ASSESSABLE
    return Status.FAIL if (control, host) == ("fails-on-db-1", "db-1") else Status.PASS


def _report(directory: Path, hosts: list[str]) -> Path:
    results = tuple(
        CheckResult(
            control=control,
            target=host,
            status=_status(control, host),
            expected={"value": "0"},
            observed=Observation(file="0", runtime="</script><script>document.title='attacked'</script>"),
            reason="a reason",
            commit="4810d87",
            time=TIME,
            duration_seconds=0.1,
        )
        for control in CONTROLS
        for host in hosts
    )
    run = VerificationRun(environment="local", commit="4810d87", started=TIME, duration_seconds=1.0, results=results)
    registry = ControlRegistry(controls=tuple(_control(name, references) for name, references in CONTROLS.items()))
    return write_bundle(run, registry, directory).report


@pytest.fixture(scope="module")
def few_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _report(tmp_path_factory.mktemp("few") / "bundle", ["db-1", "registry-1"])


@pytest.fixture(scope="module")
def many_hosts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _report(
        tmp_path_factory.mktemp("many") / "bundle", ["db-1", *(f"registry-{number}" for number in range(1, 41))]
    )


def _document(report: Path, fragment: str, profile: Path) -> str:
    """The page as the browser has it after its script has run."""
    browser = shutil.which("chromium")
    assert browser, "Chromium is missing: apt-get install chromium"
    outcome = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", f"--user-data-dir={profile}", "--enable-logging=stderr"),
            *("--virtual-time-budget=2000", "--dump-dom", f"file://{report}{fragment}"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    messages = [line for line in outcome.stderr.splitlines() if "CONSOLE" in line]
    assert not messages, f"the browser complains: {messages}"
    assert "<title>attacked" not in outcome.stdout
    return outcome.stdout


def _shown(document: str, tag: str, name: str) -> list[str]:
    """The values of an attribute, of the elements that have it and are not hidden."""
    tags = re.findall(rf"<{tag}\b[^>]*>", document)
    values = [(re.search(rf'\b{name}="([^"]*)"', one), " hidden" in one) for one in tags]
    return [match.group(1) for match, hidden in values if match and not hidden]


@pytest.mark.parametrize(
    ("fragment", "controls", "said"),
    [
        ("", ["always-passes", "cannot-be-shown", "fails-on-db-1"], "3 controls"),
        ("#status=fail", ["fails-on-db-1"], "1 of 3 controls"),
        ("#status=fail,not_assessable", ["cannot-be-shown", "fails-on-db-1"], "2 of 3 controls"),
        ("#status=fail&host=registry-1", [], "0 of 3 controls"),
        ("#status=pass&host=registry-1", ["always-passes", "fails-on-db-1"], "2 of 3 controls"),
        ("#framework=gdpr", ["always-passes", "cannot-be-shown"], "2 of 3 controls"),
        ("#text=title%20FAILS", ["fails-on-db-1"], "1 of 3 controls"),
        ("#text=no-such-text", [], "0 of 3 controls"),
    ],
)
def test_filter(few_hosts: Path, tmp_path: Path, fragment: str, controls: list[str], said: str) -> None:
    document = _document(few_hosts, fragment, tmp_path)
    shown = [one.removeprefix("control-") for one in _shown(document, "tbody", "id")]
    assert shown == controls
    assert f">{said}</output>" in document


def test_rows_are_closed_until_a_link_opens_one(few_hosts: Path, tmp_path: Path) -> None:
    assert _shown(_document(few_hosts, "", tmp_path), "tr", "id") == []
    opened = _document(few_hosts, "#control-fails-on-db-1", tmp_path)
    assert _shown(opened, "tr", "id") == ["detail-fails-on-db-1"]
    assert _shown(opened, "button", "aria-expanded") == ["false", "false", "true"]


def test_counts_follow_the_chosen_host_when_there_are_many(many_hosts: Path, tmp_path: Path) -> None:
    def counts(fragment: str) -> list[str]:
        document = _document(many_hosts, fragment, tmp_path)
        row = document[document.index('id="control-fails-on-db-1"') :]
        return re.findall(r'data-status="\w+">(\d+)</td>', row[: row.index('class="detail"')])

    assert counts("") == ["1", "0", "0", "40"]
    assert counts("#host=db-1") == ["1", "0", "0", "0"]
    assert counts("#host=registry-40") == ["0", "0", "0", "1"]
