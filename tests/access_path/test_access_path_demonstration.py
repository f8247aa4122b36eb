"""The story that ``palisade local demo`` tells, on the access path of these tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from palisade.access_path.demonstration import STORY, Stage, tell
from palisade.commands import demo
from tests.access_path.edge import Edge
from tests.access_path.edge import edge as running_edge


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_edge(tmp_path_factory.mktemp("story")) as made:
        yield stage_of(made)


def stage_of(edge: Edge) -> Stage:
    return Stage(
        host="127.0.0.1",
        port=edge.model.ports.apis,
        authority=edge.directory / "keys/authority.crt",
        token=lambda person: edge.issuer.token(person.replace("-", "_")),
        records=edge.records,
        hung_policy=edge.hung_opa,
    )


def test_every_request_is_answered_and_recorded_as_promised(stage: Stage) -> None:
    told = list(tell(stage))
    assert [(one.request.title, one.status) for one in told] == [(one.title, one.status) for one in STORY]
    assert all(one.holds for one in told)
    assert len({one.record["record_id"] for one in told if one.record}) == len(STORY)
    assert {one.status for one in told} == {200, 400, 401, 403, 404, 503}


def test_another_answer_or_no_record_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (wrong,) = tell(stage, [replace(STORY[0], status=204)])
    assert (wrong.status, wrong.holds) == (200, False)
    monkeypatch.setattr("palisade.access_path.demonstration.RECORD_SECONDS", 0.1)
    (silent,) = tell(replace(stage, records=list), STORY[:1])
    assert (silent.status, silent.record, silent.holds) == (200, None, False)


def test_the_answer_is_a_table_or_json(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def known(*_: object) -> Iterator[Stage]:
        yield stage

    monkeypatch.setattr(demo, "_stage", known)
    monkeypatch.setenv("COLUMNS", "250")
    import json  # noqa: PLC0415

    from palisade.commands.local import application  # noqa: PLC0415

    runner = CliRunner()
    shown = runner.invoke(application, ["demo"])
    assert shown.exit_code == 0, shown.output
    document = json.loads(runner.invoke(application, ["demo", "--output", "json"]).stdout)
    assert [one["holds"] for one in document["requests"]] == [True] * len(STORY)
