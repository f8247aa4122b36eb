"""The Pulumi program of a Palisade fleet; it only wires.

Run by ``pulumi`` for the selected stack; the stack's name is the name of the environment.
"""

from __future__ import annotations

import pulumi

from palisade.config import FleetConfiguration, fleet_of, parse_configuration
from palisade.errors import ConfigurationError
from palisade.planning import make_plan


def configuration_of_stack() -> FleetConfiguration:
    """The validated configuration of the selected stack, before any resource is declared.

    Raises:
        RunError: the configuration is refused; Pulumi shows its message without a traceback.
    """
    environment = pulumi.get_stack()
    # From Pulumi and not from the file, so that `pulumi --config-file` and `pulumi config set --path` count.
    fleet = pulumi.Config("palisade").require_object("fleet")
    try:
        return parse_configuration(fleet, environment=environment, file=f"configuration of stack {environment}")
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from error


def main() -> None:
    """Export what others read: the hosts and the sizing."""
    configuration = configuration_of_stack()
    pulumi.export("fleet", fleet_of(configuration).model_dump(mode="json"))
    pulumi.export("plan", make_plan(configuration, {}).document())


main()
