"""Which end of a check is which status: nothing but a check that ran to its end and read something is a pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from verification_sample import a_control, a_fleet, a_registry, a_suite

from palisade.errors import PalisadeError
from palisade.results import Status
from palisade.verification.connections import Connections
from palisade.verification.run import complete
from palisade.verification.session import Checked
from palisade.verification.suite import assignments
from palisade.verification.waivers import Waiver, Waivers

CHECKS = """
    import pytest
    from palisade.verification.check import not_assessable, require

    @pytest.fixture
    def broken():
        raise OSError("no such device")

    def test_pass(control, observation):
        observation.runtime = "1"

    def test_reads_nothing(control, observation):
        pass

    def test_fail(control, observation):
        observation.file = "0"
        assert observation.file == "1", "the file says 0"

    def test_fail_with_several_reasons(control, observation):
        observation.file = "0"
        require(["a is wrong", "b is wrong"])

    def test_fail_without_a_reason(control, observation):
        observation.file = "0"
        assert observation.file == "1"

    def test_crash(control, observation):
        observation.file = "0"
        {}["missing"]

    def test_not_assessable(control, observation):
        observation.file = "1"
        not_assessable("the kernel is shared")

    def test_gives_up_before_the_file(control, observation):
        not_assessable("the kernel is shared")

    def test_skip(control, observation):
        observation.file = "1"
        pytest.skip("not today")

    def test_expected_failure(control, observation):
        observation.file = "1"
        pytest.xfail("some day")

    @pytest.mark.skip(reason="slow")
    def test_marked_skip(control, observation):
        observation.file = "1"

    def test_preparation_breaks(control, observation, broken):
        observation.file = "1"
"""
EXPECTED = {
    "pass": (Status.PASS, "", False),
    "reads_nothing": (Status.FAIL, "the check crashed: it passed without recording what it read", True),
    "fail": (Status.FAIL, "the file says 0", False),
    "fail_with_several_reasons": (Status.FAIL, "a is wrong; b is wrong", False),
    "fail_without_a_reason": (Status.FAIL, "the check failed without a message", True),
    "crash": (Status.FAIL, "the check crashed: KeyError: 'missing'", True),
    "not_assessable": (Status.NOT_ASSESSABLE, "the kernel is shared", False),
    "gives_up_before_the_file": (
        Status.FAIL,
        "the check crashed: it gave up before the file: the kernel is shared",
        True,
    ),
    "skip": (Status.FAIL, "the check crashed: Skipped: not today", True),
    "expected_failure": (Status.FAIL, "the check crashed: XFailed: some day", True),
    "marked_skip": (Status.FAIL, "the check crashed: Skipped: slow", True),
    "preparation_breaks": (Status.FAIL, "the check crashed: OSError: no such device", True),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checked]:
    controls = [
        a_control(f"control-{name.replace('_', '-')}", check=f"tests/verify/test_status.py::test_{name}")
        for name in EXPECTED
    ]
    registry, fleet = a_registry(*controls), a_fleet()
    with Connections(fleet) as connections:
        suite = a_suite(tmp_path_factory.mktemp("status"), "test_status.py", CHECKS, registry, connections)
        found = suite.run(assignments(registry, fleet))
    return {item.result.control.removeprefix("control-").replace("-", "_"): item for item in found}


@pytest.mark.parametrize("name", EXPECTED)
def test_status_and_reason(results: dict[str, Checked], name: str) -> None:
    item = results[name]
    assert (item.result.status, item.result.reason, item.crashed) == EXPECTED[name]


def test_a_result_says_what_was_expected_and_read(results: dict[str, Checked]) -> None:
    result = results["fail"].result
    assert (result.target, result.expected, result.observed.file, result.commit) == (
        "registry-1",
        {"settings": {"value": "good"}},
        "0",
        "abc",
    )
    assert result.time.tzinfo is not None


FAILING = """
    def test_fail(control, observation):
        observation.file = "0"
        assert False, "the file says 0"

    def test_crash(control, observation):
        raise OSError("gone")

    def test_pass(control, observation):
        observation.file = "1"
"""
TODAY = datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("check", "expires", "status", "reason"),
    [
        ("fail", TODAY, Status.WAIVED, "the file says 0"),
        (
            "fail",
            TODAY - timedelta(days=1),
            Status.FAIL,
            f"the waiver expired on {TODAY - timedelta(days=1)}: the file says 0",
        ),
        ("pass", TODAY, Status.PASS, ""),
        ("crash", TODAY, Status.FAIL, "the check crashed: OSError: gone"),
    ],
    ids=["valid", "expired", "not needed", "a crash is never accepted"],
)
def test_waivers(tmp_path: Path, check: str, expires: date, status: Status, reason: str) -> None:
    registry, fleet = (
        a_registry(a_control("tiny-control", check=f"tests/verify/test_waived.py::test_{check}")),
        a_fleet(),
    )
    waiver = Waiver(
        control="tiny-control", targets=("registry-1",), reason="The old catalogue needs it.", expires=expires
    )
    with Connections(fleet) as connections:
        waivers = Waivers(entries=(waiver,))
        suite = a_suite(tmp_path, "test_waived.py", FAILING, registry, connections, waivers)
        (item,) = suite.run(assignments(registry, fleet))
    assert (item.result.status, item.result.reason) == (status, reason)
    assert (item.result.waiver is not None) == (status is Status.WAIVED)


@pytest.mark.parametrize(
    ("file", "checks", "message"),
    [
        ("test_unimportable.py", "import a_module_that_is_not_there", "a_module_that_is_not_there"),
        ("test_nameless.py", "def test_other(): pass", "test_nameless.py::test_tiny"),
        ("test_uncontrolled.py", "def test_tiny(): pass", "tiny-control on registry-1 (0)"),
    ],
)
def test_a_broken_suite_is_an_error_and_not_a_result(tmp_path: Path, file: str, checks: str, message: str) -> None:
    registry, fleet = a_registry(a_control("tiny-control", check=f"tests/verify/{file}::test_tiny")), a_fleet()
    with Connections(fleet) as connections:
        suite = a_suite(tmp_path, file, checks, registry, connections)
        with pytest.raises(PalisadeError) as caught:
            suite.run(assignments(registry, fleet))
    assert message in str(caught.value)


def test_a_result_too_many_is_an_error(results: dict[str, Checked]) -> None:
    item = results["pass"]
    (chosen,) = assignments(a_registry(a_control("control-pass")), a_fleet())
    assert complete([chosen], [item], "") == [item]
    for found in ([], [item, item], [item, results["fail"]]):
        with pytest.raises(PalisadeError, match="exactly one result"):
            complete([chosen], found, "")
