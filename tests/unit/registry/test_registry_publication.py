"""Publishing and writing down what is published, against recorded answers of the real registry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import pytest
from registry_stand_in import ARTIFACTS, CHANGED, StandIn

from palisade.errors import ConfigurationError, PalisadeError
from palisade.registry.model import Apis, LifecycleState
from palisade.registry.openapi import Description, parse_description
from palisade.registry.publication import Done, commit_of, exported, publish

EXAMPLE = (Path(__file__).parents[3] / "policies/api/examples/finance.yaml").read_text(encoding="utf-8")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENABLED, DEPRECATED, DISABLED = LifecycleState


def described(*changes: tuple[str, str]) -> Description:
    text = EXAMPLE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return parse_description(text, source="a document")


FIRST = described()
SECOND = described(("version: 1.0.0", "version: 1.1.0"), ("/v1/finance/summary", "/v1/finance/sums"))
OTHER = described(("x-palisade-name: finance", "x-palisade-name: ledger"))


HANDED = described(("x-palisade-name: finance", "x-palisade-name: ledger"), ("/v1/finance/summary", "/v1/finance/sums"))
RECORDS = {"/v1/finance/records", "/v1/finance/records/{record}"}


def with_records(expected: dict[str, set[str]]) -> dict[str, set[str]]:
    """The expected paths, with the word records for two of them."""
    return {key: names - {"records"} | (RECORDS if "records" in names else set()) for key, names in expected.items()}


def paths_by(found: Apis, key: str) -> dict[str, set[str]]:
    """The paths of each API by its name or version."""
    return {getattr(api, key): {operation.path for operation in api.operations} for api in found.apis}


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


def put(stand_in: StandIn, description: Description, state: LifecycleState = ENABLED) -> Done:
    return publish(stand_in.registry(), description, state=state, git_commit=COMMIT)


def test_a_version_is_published_with_owner_and_commit_and_then_nothing_is_left_to_do(stand_in: StandIn) -> None:
    assert put(stand_in, FIRST) is Done.PUBLISHED
    assert stand_in.changes() == [f"POST {ARTIFACTS}"]
    assert put(stand_in, FIRST) is Done.NOTHING
    assert stand_in.changes() == []
    (found,) = stand_in.registry().versions()
    assert (found.name, found.version, found.state) == ("finance", "1.0.0", "ENABLED")
    assert (found.owner, found.git_commit) == ("finance-platform", COMMIT)
    assert stand_in.registry().text(found) == EXAMPLE


def test_a_second_version_and_another_state_are_one_change_each(stand_in: StandIn) -> None:
    put(stand_in, FIRST)
    stand_in.changes()
    assert put(stand_in, FIRST, DEPRECATED) is Done.STATE_CHANGED
    assert stand_in.changes() == [f"PUT {ARTIFACTS}/finance/versions/1.0.0/state"]
    assert put(stand_in, SECOND) is Done.PUBLISHED
    assert stand_in.changes() == [f"POST {ARTIFACTS}/finance/versions"]


def test_it_is_listed_by_state_page_by_page(stand_in: StandIn) -> None:
    for minor in range(5):
        put(stand_in, described(("version: 1.0.0", f"version: 1.{minor}.0")), DEPRECATED if minor % 2 else ENABLED)
    registry = stand_in.registry()
    assert [one.version for one in registry.versions()] == [f"1.{minor}.0" for minor in range(5)]
    assert [one.version for one in registry.versions(DEPRECATED)] == ["1.1.0", "1.3.0"]
    assert registry.versions(DISABLED) == []


def test_a_published_version_never_changes(stand_in: StandIn) -> None:
    put(stand_in, FIRST)
    stand_in.changes()
    with pytest.raises(
        ConfigurationError, match=r"finance 1\.0\.0 is published already, with other content"
    ) as refused:
        put(stand_in, described(("title: Finance records", "title: Others")))
    assert refused.value.remedy == "raise info.version"
    assert stand_in.changes() == []


def test_an_operation_belongs_to_one_api_until_that_is_disabled(stand_in: StandIn) -> None:
    put(stand_in, FIRST)
    with pytest.raises(ConfigurationError, match=r"GET /v1/finance/records belongs to finance 1\.0\.0") as refused:
        put(stand_in, OTHER)
    assert refused.value.where == "document.paths./v1/finance/records.get"
    put(stand_in, FIRST, DISABLED)
    assert put(stand_in, OTHER) is Done.PUBLISHED
    assert [(api.name, api.state) for api in exported(stand_in.registry()).apis] == [("ledger", ENABLED)]


def test_since_when_it_is_deprecated_is_written_down_if_the_registry_says_so(stand_in: StandIn) -> None:
    put(stand_in, FIRST)
    assert [api.deprecated_on for api in exported(stand_in.registry()).apis] == [None]
    put(stand_in, FIRST, DEPRECATED)
    assert [api.deprecated_on for api in exported(stand_in.registry()).apis] == [CHANGED]
    del stand_in.versions[0]["modifiedOn"]
    assert [api.deprecated_on for api in exported(stand_in.registry()).apis] == [None]


@pytest.mark.parametrize(
    ("mine", "others", "expected"),
    [
        (DISABLED, ENABLED, {"finance": {"/v1/finance/summary"}, "ledger": {"records", "/v1/finance/sums"}}),
        (DISABLED, DEPRECATED, {"finance": {"/v1/finance/summary"}, "ledger": {"records", "/v1/finance/sums"}}),
        (DISABLED, DISABLED, {"finance": {"/v1/finance/summary"}, "ledger": {"records", "/v1/finance/sums"}}),
        (ENABLED, DISABLED, {"finance": {"records", "/v1/finance/summary"}, "ledger": {"/v1/finance/sums"}}),
    ],
)
def test_an_operation_that_was_handed_over_belongs_to_the_api_that_is_served_or_was_last(
    stand_in: StandIn, mine: LifecycleState, others: LifecycleState, expected: dict[str, set[str]]
) -> None:
    put(stand_in, FIRST, DISABLED)
    put(stand_in, HANDED, DISABLED)
    stand_in.versions[0]["state"], stand_in.versions[1]["state"] = mine, others
    assert paths_by(exported(stand_in.registry()), "name") == with_records(expected)


def test_an_operation_of_two_apis_that_are_both_served_is_refused(stand_in: StandIn) -> None:
    put(stand_in, FIRST, DISABLED)
    put(stand_in, OTHER)
    stand_in.versions[0]["state"] = ENABLED  # by hand, past publish
    with pytest.raises(ConfigurationError, match=r"GET /v1/finance/records is apis\.0\.operations\.0 already"):
        exported(stand_in.registry())


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((ENABLED, ENABLED), {"1.0.0": {"/v1/finance/summary"}, "1.1.0": {"records", "/v1/finance/sums"}}),
        ((DEPRECATED, ENABLED), {"1.0.0": {"/v1/finance/summary"}, "1.1.0": {"records", "/v1/finance/sums"}}),
        ((ENABLED, DISABLED), {"1.0.0": {"records", "/v1/finance/summary"}, "1.1.0": {"/v1/finance/sums"}}),
        ((DISABLED, DISABLED), {"1.0.0": {"/v1/finance/summary"}, "1.1.0": {"records", "/v1/finance/sums"}}),
    ],
)
def test_of_two_versions_the_one_that_is_served_and_later_has_an_operation(
    stand_in: StandIn, states: tuple[LifecycleState, LifecycleState], expected: dict[str, set[str]]
) -> None:
    for description, state in zip((FIRST, SECOND), states, strict=True):
        put(stand_in, description, state)
    found = exported(stand_in.registry())
    assert {api.version: api.state for api in found.apis} == dict(zip(("1.0.0", "1.1.0"), states, strict=True))
    assert paths_by(found, "version") == with_records(expected)
    assert {api.git_commit for api in found.apis} == {COMMIT}


def test_what_palisade_did_not_publish_is_refused_by_name(stand_in: StandIn) -> None:
    put(stand_in, FIRST)
    stand_in.versions[0]["labels"] = {}
    with pytest.raises(ConfigurationError, match=r"'' is not allowed") as refused:
        exported(stand_in.registry())
    assert "finance 1.0.0 in the registry" in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        (httpx.Response(401, text="Jwt is expired"), "with 401: Jwt is expired", "give a token that has not expired"),
        (httpx.Response(403, json={"title": "no role"}), "with 403: no role", "who may administer the registry"),
        (httpx.Response(503, text=""), "with 503: Service Unavailable", "wait until the registry's pods are ready"),
        (httpx.Response(500, text="x" * 999), "with 500: xxxx", "look at the registry's log"),
    ],
)
def test_a_refusal_says_what_to_do(stand_in: StandIn, answer: httpx.Response, said: str, remedy: str) -> None:
    stand_in.refusal = answer
    with pytest.raises(PalisadeError, match=said) as refused:
        stand_in.registry().versions()
    assert remedy in str(refused.value.remedy)
    assert refused.value.where == "GET https://registry.example:8443/apis/registry/v3/search/versions"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document that is committed."""
    for name, value in {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example"}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.replace("AUTHOR", "COMMITTER"), value)
    document = tmp_path / "finance.yaml"
    document.write_text(EXAMPLE, encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return document


def test_the_commit_is_the_last_one_that_changed_the_document(repository: Path) -> None:
    commit = commit_of(repository)
    assert len(commit) == 40
    (repository.parent / "other").write_text("x", encoding="utf-8")
    for command in (["add", "."], ["commit", "-qm", "second"]):
        subprocess.run(["git", *command], cwd=repository.parent, check=True)
    assert commit_of(repository) == commit


@pytest.mark.parametrize(
    ("name", "said"),
    [("finance.yaml", "has changes that are not committed"), ("new.yaml", "is in no commit of a Git repository")],
)
def test_what_is_not_committed_has_no_commit(repository: Path, name: str, said: str) -> None:
    document = repository.with_name(name)
    document.write_text("changed", encoding="utf-8")
    if name == "new.yaml":
        (repository.parent / ".gitignore").write_text("new.yaml\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as refused:
        commit_of(document)
    assert "--git-commit" in str(refused.value.remedy)
