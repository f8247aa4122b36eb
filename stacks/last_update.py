"""What the stack had at the end of its last update, as far as the next one depends on it."""

from __future__ import annotations

import pulumi

from palisade.bundle.build import bundle_file
from palisade.errors import ConfigurationError

REGISTRY = "registry"
"""The output that says whether the stack declares a registry."""


async def refuse_to_lose_the_registry() -> None:
    """Refuse an update without the registry if the last one had it: Pulumi deletes what is not declared again.

    To be awaited before anything is declared, so that nothing is changed either. A program that fails deletes nothing,
    and Pulumi keeps the outputs that it did not export.

    Raises:
        ConfigurationError: the stack has a registry.
    """
    environment = pulumi.get_stack()
    stack = f"{pulumi.get_organization()}/{pulumi.get_project()}/{environment}"
    if await pulumi.StackReference(stack).get_output(REGISTRY).future():
        raise ConfigurationError(
            f"The environment {environment} has a registry, but its policy bundle is missing; "
            "without the bundle this update would remove the registry.",
            where=str(bundle_file(environment)),
            remedy=f"palisade bundle build {environment}",
        )
