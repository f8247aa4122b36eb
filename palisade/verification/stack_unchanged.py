"""Whether a proof has left the stack as it was: Pulumi itself is asked, with a look at every live object."""

from __future__ import annotations

from palisade.errors import PalisadeError
from palisade.project import Project
from palisade.stack.access import to_change
from palisade.stack.failures import ChangesError
from palisade.stack.model import find_stack

PREVIEW_SECONDS = 600.0
"""How long a preview may take that looks at every live object; an API server that is busy makes it minutes."""


def require_unchanged(project: Project, environment: str) -> None:
    """Preview the stack of an environment, live objects included.

    Raises:
        PalisadeError: there is something to change, or Pulumi cannot say, for the reason that it gives.
    """
    try:
        to_change(find_stack(project, environment)).answer(
            "preview", "--refresh", "--expect-no-changes", seconds=PREVIEW_SECONDS
        )
    except ChangesError as error:
        raise PalisadeError(
            "The objects of the cluster were put back, and Pulumi does not find them as it left them.\n"
            + error.problem,
            where=f"pulumi preview --refresh --expect-no-changes --stack {environment}",
            remedy=f"pulumi up --refresh --stack {environment}",
        ) from error
