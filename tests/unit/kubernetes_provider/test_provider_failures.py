"""What the API server's refusals are told as: what, where, and what to do."""

from __future__ import annotations

import pytest
from kubernetes_provider.failures import AnswerError, already_there


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (401, "Unauthorized", "log in to the cluster again"),
        (403, 'forbidden: User "ada" cannot get path "/apis/apps/v1"', "give this user the right"),
        (403, "pods is forbidden: exceeded quota: none", None),
        (422, "Invalid value", None),
    ],
)
def test_a_refused_login_has_a_remedy_and_a_refused_object_has_none(status: int, message: str, remedy: str) -> None:
    explained = AnswerError(status, {"message": message}).explain("https://cluster.test")
    assert explained.problem == f"The Kubernetes API server refuses: {message}"
    assert explained.where == "https://cluster.test"
    assert (explained.remedy or "").startswith(remedy) if remedy else explained.remedy is None


def test_an_object_that_this_stack_has_made_is_not_called_somebody_elses() -> None:
    own = already_there("ConfigMap shop/a", "shop/a", stack="dev", is_own=True)
    assert "this stack has made it, and does not know of it any more" in own.problem
    assert own.remedy is not None
    assert "palisade stack recover dev" in own.remedy
    assert "import_='shop/a'" in own.remedy
    theirs = already_there("ConfigMap shop/a", "shop/a", stack="dev", is_own=False)
    assert "this stack has not made it" in theirs.problem
    assert theirs.remedy is not None
    assert "recover" not in theirs.remedy
    assert "refresh" not in own.remedy + theirs.remedy
