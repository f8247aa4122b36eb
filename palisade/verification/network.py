"""Real connection attempts between the places of a fleet: what a firewall does, not what it says."""

from __future__ import annotations

from collections.abc import Callable

from palisade.fleet import FleetHost
from palisade.verification.probes import connect
from palisade.verification.readings import Readings

ANSWER_SECONDS = 1.0
"""How long an attempt waits; a host that admits the port answers (or refuses) within milliseconds."""


class Network:
    """Attempts TCP connections from a host, or from the machine of the operator.

    Args:
        readings_of: The readings of a host, in which the attempts are remembered.
    """

    def __init__(self, readings_of: Callable[[FleetHost], Readings]) -> None:
        self._readings_of = readings_of

    def attempt(self, source: FleetHost | None, target: FleetHost, ports: list[int]) -> dict[int, str]:
        """What each port of the target answers.

        Args:
            source: A host of the fleet; None for the operator's machine.
            target: Where to.
            ports: TCP ports, all tried at the same time.

        Returns:
            Per port ``open``, ``refused`` (nothing listens, but the packet arrived) or ``silence`` (it was dropped).
        """
        address = str(target.address)
        if source is None:
            return self._readings_of(target).once(
                f"connect {ports}", lambda: connect.answers(address, ANSWER_SECONDS, ports)
            )
        found = self._readings_of(source).probe("connect", address, str(ANSWER_SECONDS), *(str(port) for port in ports))
        return {int(port): answer for port, answer in found.items()}
