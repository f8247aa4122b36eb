"""Fields that others have set: an apply of ours neither changes nor removes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubernetes_provider import objects
from kubernetes_provider.cluster import Cluster
from kubernetes_provider.failures import AnswerError
from kubernetes_provider.live import foreign_owners
from kubernetes_provider.objects import Target
from kubernetes_provider.paths import Path, get

_CLONE = "-palisade-dry-run"


def kept_by_others(
    cluster: Cluster,
    target: Target,
    live: Mapping[str, Any],
    content: Mapping[str, Any],
    manager: str,
    paths: Iterable[Path],
) -> dict[Path, list[str]]:
    """Those of the places that are not declared (any more) and stay, because another manager owns them.

    Whoever makes an object with kubectl also owns every default that the server filled in. Such a value is no
    difference: the server would fill it in for us too, and a dry run under another name tells.

    Returns:
        The managers of each place.

    Raises:
        UnreachableError: nobody answers.
    """
    present = {path: foreign_owners(live, manager, path) for path in paths if get(live, *path) is not None}
    owned = {path: owners for path, owners in present.items() if owners}
    if not owned:
        return {}
    name = f"{target.name}{_CLONE}"
    clone = Target(target.kind, target.namespace, name)
    copy = {**content, "metadata": {**content["metadata"], "name": name}}
    try:
        _, fresh = objects.apply(cluster, clone, copy, manager=manager, dry_run=True, force=False)
    except AnswerError:
        return owned
    return {path: owners for path, owners in owned.items() if get(fresh, *path) != get(live, *path)}
