"""Publishing an API, and writing down what is published: what the registry is asked, and what must hold before."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from palisade.errors import ConfigurationError
from palisade.registry.client import COMMIT_LABEL, OWNER_LABEL, PublishedVersion, Registry
from palisade.registry.model import Api, Apis, LifecycleState
from palisade.registry.openapi import Description, parse_description
from palisade.validation import validate

_SERVED_FIRST = (LifecycleState.ENABLED, LifecycleState.DEPRECATED, LifecycleState.DISABLED)


class Done(StrEnum):
    """What publishing did."""

    PUBLISHED = "published"
    STATE_CHANGED = "state changed"
    NOTHING = "nothing, it was there"


def commit_of(path: Path) -> str:
    """The last commit that changed a document.

    Raises:
        ConfigurationError: it is in no Git repository, or is not committed as it is.
    """
    changed = _git(path, "status", "--porcelain", "--", path.name)
    commit = _git(path, "log", "-1", "--format=%H", "--", path.name)
    if changed is None or not commit:
        problem = "The document is in no commit of a Git repository."
    elif changed:
        problem = "The document has changes that are not committed."
    else:
        return commit
    raise ConfigurationError(
        problem,
        where=str(path),
        allowed="a committed document, so that everybody can find what was published",
        remedy="commit it, or name the commit with --git-commit",
    )


def publish(registry: Registry, description: Description, *, state: LifecycleState, git_commit: str) -> Done:
    """Have a document published in a state; what is there already as it is stays untouched.

    Args:
        registry: Where.
        description: The document.
        state: The state of its version.
        git_commit: Where it comes from.

    Raises:
        ConfigurationError: the version is published with other content, or an operation belongs to another API.
        PalisadeError: the registry refuses, or does not answer.
    """
    published = registry.versions()
    mine = description.api(state=state, git_commit=git_commit)
    there = next((one for one in published if (one.name, one.version) == (mine.name, mine.version)), None)
    if there is not None and registry.text(there) != description.text:
        raise ConfigurationError(
            f"{mine.name} {mine.version} is published already, with other content.",
            where="document.info.version",
            allowed="a new version for new content: a published one never changes",
            remedy="raise info.version",
        )
    _refuse_taken(registry, published, mine)
    if there is None:
        labels = {OWNER_LABEL: mine.owner, COMMIT_LABEL: mine.git_commit}
        registry.add(mine.name, mine.version, title=description.title, text=description.text, labels=labels)
    if (there.state if there else LifecycleState.ENABLED) != state:
        registry.set_state(mine.name, mine.version, state)
        return Done.PUBLISHED if there is None else Done.STATE_CHANGED
    return Done.PUBLISHED if there is None else Done.NOTHING


def exported(registry: Registry) -> Apis:
    """Everything that is published, as Envoy and OPA are told it.

    Of two that describe the same operation, the one that is served has it, and of two versions of one API that are both
    served, or of two that are both gone, the later one.

    Raises:
        ConfigurationError: what is published is refused, such as a document that was not published by Palisade, or an
            operation of two APIs that are both served.
        PalisadeError: the registry refuses, or does not answer.
    """
    known = {state.value for state in LifecycleState}
    apis = [_api(registry, one) for one in registry.versions() if one.state in known]
    taken: dict[tuple[str, str], Api] = {}
    latest_first = list(reversed(apis))
    for api in sorted(latest_first, key=lambda api: _SERVED_FIRST.index(api.state)):
        for operation in api.operations:
            taken.setdefault(operation.place, api)
    kept = []
    for api in apis:
        own = [one.model_dump(mode="json") for one in api.operations if not _yields(api, taken[one.place])]
        if own:
            kept.append({**api.model_dump(mode="json"), "operations": own})
    return validate(Apis, {"apis": kept}, file="the registry", at="document", lines={})


def _yields(api: Api, holder: Api) -> bool:
    """Whether an operation of one is the other's alone; two APIs that are both served keep it, which is refused."""
    return holder is not api and (holder.name == api.name or api.state is LifecycleState.DISABLED)


def _api(registry: Registry, published: PublishedVersion) -> Api:
    name = f"{published.name} {published.version} in the registry"
    description = parse_description(registry.text(published), source=name)
    state = LifecycleState(published.state)
    document = {
        **description.api(state=state, git_commit="0" * 40).model_dump(mode="json"),
        "name": published.name,
        "version": published.version,
        "git_commit": published.git_commit,
        # The registry writes the time of its change with the state itself, and `publish` changes nothing else.
        "deprecated_on": published.changed or None if state is LifecycleState.DEPRECATED else None,
    }
    return validate(Api, document, file=name, at="document", lines={})


def _refuse_taken(registry: Registry, published: Sequence[PublishedVersion], mine: Api) -> None:
    wanted = {operation.place: operation for operation in mine.operations}
    for other in published:
        if other.name == mine.name or other.state == LifecycleState.DISABLED:
            continue
        for operation in parse_description(registry.text(other), source=f"{other.name} {other.version}").operations:
            if operation.place in wanted:
                raise ConfigurationError(
                    f"{operation.method} {operation.path} belongs to {other.name} {other.version}.",
                    where=f"document.paths.{wanted[operation.place].path}.{operation.method.lower()}",
                    allowed="an operation that no other API has",
                    remedy=f"use another path, or ask its owner, {other.owner}",
                )


def _git(path: Path, *arguments: str) -> str | None:
    directory = path.resolve().parent
    finished = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=False)
    return finished.stdout.strip() if finished.returncode == 0 else None
