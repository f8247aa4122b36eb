"""What the stack had at the end of its last update, as far as the next one depends on it."""

from __future__ import annotations

from typing import Any

import pulumi

from palisade.bundle.build import bundle_file
from palisade.errors import ConfigurationError
from palisade.registry.model import apis_file

REGISTRY = "registry"
"""The output that says whether the stack declares a registry."""
APIS = "apis"
"""The output that says how many versions of APIs its access path knows."""


async def refuse_to_lose_the_registry() -> None:
    """Refuse an update without the registry if the last one had it: Pulumi deletes what is not declared again.

    To be awaited before anything is declared, so that nothing is changed either. A program that fails deletes nothing,
    and Pulumi keeps the outputs that it did not export.

    Raises:
        ConfigurationError: the stack has a registry.
    """
    if await _had(REGISTRY):
        environment = pulumi.get_stack()
        raise ConfigurationError(
            f"The environment {environment} has a registry, but its policy bundle is missing; "
            "without the bundle this update would remove the registry.",
            where=str(bundle_file(environment)),
            remedy=f"palisade bundle build {environment}",
        )


async def refuse_to_lose_the_apis() -> None:
    """Refuse an update that knows no API only because nobody exported them here, if the last one knew some.

    To be awaited as :func:`refuse_to_lose_the_registry`.

    Raises:
        ConfigurationError: every route of the environment would go.
    """
    environment = pulumi.get_stack()
    if not apis_file(environment).exists() and (count := await _had(APIS)):
        raise ConfigurationError(
            f"The environment {environment} routes {count:.0f} versions of APIs, but they were not exported here; "
            "without them this update would answer every call with 404.",
            where=str(apis_file(environment)),
            remedy=f"palisade registry export {environment}, then palisade bundle build {environment}",
        )


async def _had(output: str) -> Any:
    """An output of the stack's last update; None before the first one."""
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    return await pulumi.StackReference(stack).get_output(output).future()
