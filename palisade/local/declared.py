"""Which environments are fleets on this machine."""

from __future__ import annotations

from palisade.config import FleetConfiguration, load_configuration
from palisade.config_sections import LocalFleet
from palisade.errors import ConfigurationError
from palisade.local.places import Places
from palisade.project import Project


def local_fleet(configuration: FleetConfiguration) -> LocalFleet:
    """What the configuration says about the fleet on this machine.

    Raises:
        ConfigurationError: the environment is not a local fleet.
    """
    if configuration.local is None:
        raise ConfigurationError(
            f"{configuration.environment} is not a local fleet.",
            where=f"Pulumi.{configuration.environment}.yaml: fleet.local",
            allowed="an environment with a section local",
            remedy="use --environment local; other environments are built with: pulumi up",
        )
    return configuration.local


def require_local(environment: str) -> None:
    """Refuse an environment whose files here belong to no fleet on this machine, before anything of it is removed.

    A fleet that was started passes whatever its configuration says by now.

    Raises:
        ConfigurationError: there is no such environment, or it is not a local fleet.
    """
    if not Places.of(environment).has_hosts:
        local_fleet(load_configuration(Project.find(), environment))
