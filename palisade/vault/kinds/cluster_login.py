"""How the Kubernetes auth method asks the API server about a service account."""

from __future__ import annotations

from palisade.errors import PalisadeError
from palisade.vault.changes import Action, Change
from palisade.vault.comparison import differing
from palisade.vault.kinds.context import Context
from palisade.vault.resources import Resource

_HAS_TOKEN = "token_reviewer_jwt_set"  # noqa: S105 - a name


def find_cluster_login(context: Context, resource: Resource) -> Change | None:
    """What differs about the way to the API server.

    Args:
        context: The connection, and the cluster.
        resource: The entry.
    """
    read = context.vault.read(resource.path)
    try:
        reviewer = context.reviewer() if context.reviewer else None
        token = reviewer.token() if reviewer else None
    except PalisadeError as error:
        return Change(resource.path, Action.WAIT, reason=f"the cluster does not answer: {error.problem}")
    if reviewer is None:
        return Change(resource.path, Action.WAIT, reason="the environment has no cluster yet")
    fields = {
        **resource.fields,
        "kubernetes_host": reviewer.server,
        "kubernetes_ca_cert": reviewer.certificate,
        _HAS_TOKEN: True,
    }
    before, after = differing(read, fields)
    if token is None:
        after["service_account"] = f"made in {reviewer.namespace}"
    if not after:
        return None

    def make() -> None:
        written = {name: value for name, value in fields.items() if name != _HAS_TOKEN}
        context.vault.write(resource.path, {**written, "token_reviewer_jwt": reviewer.make()})

    return Change(resource.path, Action.UPDATE if read else Action.CREATE, before, after, make=make)
