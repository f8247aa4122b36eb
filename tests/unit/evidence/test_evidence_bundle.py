"""The bundle as a whole: complete or not there at all, the same bytes for the same run, and a manifest that holds."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from evidence_sample import STARTED, WAIVER, a_control, a_registry, a_result, a_run, every_status, of_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from palisade.errors import ExitCode, MachineError, PalisadeError
from palisade.evidence import EvidencePaths, bundle_directory, write_bundle
from palisade.evidence.publish import publish
from palisade.results import CheckResult, Selection, Status

FILES = ["controls.json", "junit.xml", "manifest.sha256", "report.html", "results.csv", "results.json"]


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _check_manifest(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sha256sum", "--check", "--strict", "manifest.sha256"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def test_has_every_file_and_nothing_else(tmp_path: Path) -> None:
    paths = write_bundle(*every_status(), tmp_path / "local" / "run")
    assert sorted(path.name for path in paths.directory.iterdir()) == FILES
    named = (paths.controls, paths.junit, paths.manifest, paths.report, paths.spreadsheet, paths.results)
    assert [path.name for path in named] == FILES
    assert sorted(path.name for path in paths.directory.parent.iterdir()) == ["latest", "run"]


def test_manifest_verifies_and_notices_a_change(tmp_path: Path) -> None:
    paths = write_bundle(*every_status(), tmp_path / "run")
    outcome = _check_manifest(paths.directory)
    assert outcome.returncode == 0
    assert outcome.stdout.splitlines() == [f"{name}: OK" for name in FILES if name != "manifest.sha256"]
    paths.results.write_bytes(paths.results.read_bytes().replace(b'"fail"', b'"pass"'))
    assert "results.json: FAILED" in _check_manifest(paths.directory).stdout


def test_results_have_a_header_and_every_result(tmp_path: Path) -> None:
    run, registry = every_status()
    document = json.loads(write_bundle(run, registry, tmp_path / "run").results.read_bytes())
    results = document.pop("results")
    assert document == {
        "version": 1,
        "selection": None,
        "environment": "local",
        "commit": run.commit,
        "started": "2026-11-22T06:11:31+00:00",
        "duration_seconds": 31.4,
        "counts": {
            "hosts": 2,
            "clusters": 0,
            "controls": 4,
            "checks": 7,
            "pass": 3,
            "fail": 1,
            "waived": 1,
            "not_assessable": 2,
        },
    }
    assert [CheckResult.model_validate(result) for result in results] == sorted(
        run.results, key=lambda result: (result.control, result.target)
    )
    assert results[-1]["waiver"] == {"reason": WAIVER.reason, "expires": "2026-12-15"}


def test_controls_are_the_registry_as_it_was_used(tmp_path: Path) -> None:
    run, registry = every_status()
    document = json.loads(write_bundle(run, registry, tmp_path / "run").controls.read_bytes())
    assert document["version"] == 1
    assert [control["id"] for control in document["controls"]] == [control.id for control in registry.controls]
    assert document["controls"][0] == registry.controls[0].model_dump(mode="json")


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_order_of_results_does_not_matter(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    run, registry = every_status()
    shuffled = run.model_copy(update={"results": tuple(data.draw(st.permutations(run.results)))})
    root = tmp_path_factory.mktemp("evidence")
    first = write_bundle(run, registry, root / "first")
    second = write_bundle(shuffled, registry, root / "second")
    assert _contents(first.directory) == _contents(second.directory)


def test_another_process_in_another_time_zone_writes_the_same_bytes(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from evidence_sample import *;"
        "from palisade.evidence import write_bundle; write_bundle(*of_sets(), Path(sys.argv[2]))"
    )
    other, here = tmp_path / "other", tmp_path / "here"
    environment = {**os.environ, "PYTHONHASHSEED": "1", "TZ": "UTC+7", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", program, str(Path(__file__).parent), str(other)], env=environment, check=True)
    write_bundle(*of_sets(), here)
    assert _contents(other) == _contents(here)


@pytest.mark.parametrize(
    ("started", "name"),
    [
        (STARTED, "2026-11-22T06-11-31Z"),
        (datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2025-12-31T23-30-00Z"),
        (datetime(2026, 11, 22, 6, 11, 31, 999_999, tzinfo=timezone.utc), "2026-11-22T06-11-31Z"),  # noqa: UP017
    ],
)
def test_directory_is_named_after_environment_and_utc_time(started: datetime, name: str) -> None:
    run = a_run([], environment="staging").model_copy(update={"started": started})
    assert bundle_directory(Path("evidence"), run) == Path("evidence/staging") / name


def test_latest_follows_the_last_bundle(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_bundle(*every_status(), tmp_path / "local" / name)
        assert (tmp_path / "local" / "latest").readlink() == Path(name)
    assert (tmp_path / "local" / "latest" / "report.html").is_file()


def test_latest_is_never_a_part_of_the_checks(tmp_path: Path) -> None:
    run, registry = every_status()
    part = Selection(controls=("always-passes",), targets=(), checks=8, left_out=())
    partial = write_bundle(run.model_copy(update={"selection": part}), registry, tmp_path / "partial")
    assert [path.name for path in tmp_path.iterdir()] == ["partial"]
    assert json.loads(partial.results.read_text())["selection"] == part.model_dump(mode="json")
    whole = write_bundle(run, registry, tmp_path / "whole")
    assert (tmp_path / "latest").readlink() == Path("whole")
    assert json.loads(whole.results.read_text())["selection"] is None


def test_evidence_is_never_overwritten(tmp_path: Path) -> None:
    paths = write_bundle(*every_status(), tmp_path / "run")
    before = _contents(paths.directory)
    with pytest.raises(MachineError, match="never overwritten") as refused:
        write_bundle(*every_status(), tmp_path / "run")
    assert refused.value.where == str(tmp_path / "run")
    assert _contents(paths.directory) == before


@pytest.mark.parametrize(
    ("results", "problem", "where"),
    [
        ([a_result("unknown-control", "db-1")], "not in the control registry", "db-1"),
        (
            [a_result("some-control", "db-1"), a_result("some-control", "db-1", Status.FAIL)],
            "2 results for some-control on db-1",
            "db-1: some-control",
        ),
    ],
)
def test_a_run_that_contradicts_itself_is_refused(
    tmp_path: Path, results: list[CheckResult], problem: str, where: str
) -> None:
    with pytest.raises(PalisadeError, match=problem) as refused:
        write_bundle(a_run(results), a_registry(a_control("some-control")), tmp_path / "run")
    assert refused.value.where == where
    assert refused.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("parent", ["a-file", "/sys/kernel"])
def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path, parent: str) -> None:
    (tmp_path / "a-file").touch()
    directory = tmp_path / parent / "local" / "run"
    with pytest.raises(MachineError, match="cannot be written") as refused:
        write_bundle(*every_status(), directory)
    assert refused.value.where == str(directory)
    assert "directory that this user may write to" in (refused.value.remedy or "")
    assert refused.value.exit_code is ExitCode.MACHINE


def test_a_directory_called_latest_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "latest" / "kept").mkdir(parents=True)
    with pytest.raises(MachineError):
        write_bundle(*every_status(), tmp_path / "run")
    assert (tmp_path / "latest" / "kept").is_dir()
    assert _check_manifest(tmp_path / "run").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "run"]


def _in_child(action: Callable[[], None]) -> tuple[int, str]:
    """Run in a forked process; its wait status and what it raised."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
        except PalisadeError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    return os.waitpid(child, 0)[1], text


def test_a_file_system_without_room_is_explained_and_left_clean(tmp_path: Path) -> None:
    def write() -> None:
        # The kernel refuses to let a file grow further: the same path through the code as a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        write_bundle(*every_status(), tmp_path / "local" / "run")

    _, text = _in_child(write)
    assert "The evidence cannot be written: File too large." in text
    assert f"where: {tmp_path / 'local' / 'run'}" in text
    assert f"what to do: make room (df -h {tmp_path / 'local'}), then verify again" in text
    assert not list((tmp_path / "local").iterdir())


FLUSHES = len(FILES) + 2
"""Each file, the new directory, and (after the rename) the directory it is in."""


@pytest.mark.parametrize("fatal_flush", range(1, FLUSHES + 1))
def test_killed_at_any_point_leaves_no_bundle_or_a_complete_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fatal_flush: int
) -> None:
    directory = tmp_path / "local" / "run"
    flush, flushed = os.fsync, []

    def kill_at_flush(descriptor: int) -> None:
        flushed.append(descriptor)
        if len(flushed) == fatal_flush:
            os.kill(os.getpid(), signal.SIGKILL)
        flush(descriptor)

    def write() -> None:
        monkeypatch.setattr(os, "fsync", kill_at_flush)
        write_bundle(*every_status(), directory)

    status, _ = _in_child(write)
    assert os.WTERMSIG(status) == signal.SIGKILL
    if fatal_flush < FLUSHES:
        assert not directory.exists()
        write_bundle(*every_status(), directory)
    assert sorted(_contents(directory)) == FILES
    assert _check_manifest(directory).returncode == 0


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path) -> None:
    abandoned, running = (tmp_path / f".{name}.0badf00d.partial" for name in ("abandoned", "running"))
    link = tmp_path / ".latest.0badf00d.partial"
    for directory in (abandoned, running):
        directory.mkdir()
        (directory / "results.json").touch()
    link.symlink_to("nowhere")
    two_hours_ago = time.time() - 7200
    os.utime(abandoned, (two_hours_ago, two_hours_ago))
    os.utime(link, (two_hours_ago, two_hours_ago), follow_symlinks=False)
    write_bundle(*every_status(), tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([running.name, "latest", "run"])


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EROFS, "may write to"),
        (errno.EACCES, "may write"),
    ],
)
def test_the_remedy_fits_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(MachineError, match=os.strerror(code)) as refused:
        publish({"file": b"content"}, tmp_path / "run")
    assert remedy in (refused.value.remedy or "")
    assert not list(tmp_path.iterdir())


def test_paths_are_below_the_directory() -> None:
    assert EvidencePaths(Path("evidence/local/run")).report == Path("evidence/local/run/report.html")
