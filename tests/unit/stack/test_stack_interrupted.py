"""What a state becomes after something in it was interrupted."""

from __future__ import annotations

from typing import Any

import pytest
from stack_samples import URN

from palisade.stack.contents import identity_of
from palisade.stack.interrupted import with_interrupted

PROVIDER = {
    "urn": "urn:pulumi:local::palisade::pulumi:providers:kubernetes::cluster",
    "type": "pulumi:providers:kubernetes",
}


def quota(**metadata: Any) -> dict[str, Any]:
    return {"urn": f"{URN}-quota", "type": "kubernetes:core/v1:ResourceQuota", "inputs": {"metadata": metadata}}


def deployment(*operations: tuple[str, dict[str, Any]], resources: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    pending = [{"resource": resource, "type": kind} for kind, resource in operations]
    return {"manifest": {}, "resources": list(resources), "pending_operations": pending}


@pytest.mark.parametrize(
    ("resource", "identity"),
    [
        (quota(name="room", namespace="palisade-system"), "palisade-system/room"),
        (quota(name="palisade-agents"), "palisade-agents"),
        (quota(generateName="room-"), ""),
        ({"urn": URN, "type": "kubernetes:core/v1:Namespace"}, ""),
        (PROVIDER, ""),
    ],
)
def test_an_object_is_known_by_its_name(resource: dict[str, Any], identity: str) -> None:
    assert identity_of(resource) == identity


def test_an_object_that_may_have_been_made_is_looked_up_by_the_next_refresh() -> None:
    object_ = quota(name="room", namespace="palisade-system")
    before = deployment(("creating", object_), resources=(PROVIDER,))
    made = {**object_, "id": "palisade-system/room"}
    assert with_interrupted(before) == deployment(resources=(PROVIDER, made))
    assert before == deployment(("creating", object_), resources=(PROVIDER,)), "the state that was read stays as it is"


def test_what_only_its_provider_could_name_is_made_again() -> None:
    assert with_interrupted(deployment(("creating", PROVIDER))) == deployment()


def test_an_object_that_is_in_the_state_already_is_not_in_it_twice() -> None:
    object_ = quota(name="room", namespace="palisade-system")
    known = {**object_, "id": "palisade-system/room", "outputs": {}}
    assert with_interrupted(deployment(("creating", object_), resources=(known,))) == deployment(resources=(known,))


@pytest.mark.parametrize("kind", ["updating", "deleting", "reading"])
def test_what_else_was_interrupted_is_for_the_refresh_alone(kind: str) -> None:
    before = deployment((kind, quota(name="room")))
    assert with_interrupted(before) == before


def test_a_sound_state_stays_as_it_is() -> None:
    assert with_interrupted({"manifest": {}}) == {"manifest": {}}
