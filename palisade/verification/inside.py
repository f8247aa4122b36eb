"""A registry pod seen from its node: its network, its processes, and what can be reached from it.

What looks and connects is Palisade's own probe, run by the node in the pod's network namespace: nothing in an image is
trusted, and an image has no tool for it anyway.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palisade.verification import registry_pods
from palisade.verification.cluster import Cluster
from palisade.verification.pods import network_namespace, reached
from palisade.verification.programs import listening
from palisade.verification.readings import ReadingFailedError, Readings

POLICY_PROCESS = "opa-envoy-plugi"
"""OPA's process; the kernel keeps 15 characters of a name."""
POLICY_SOCKET = "/run/opa/grpc.sock"


@dataclass(frozen=True)
class RegistryPod:
    """The registry pod that runs on a node.

    Args:
        node: The node.
        name: The pod's name.
        address: Its address.
        space: The name of its network namespace on the node.
    """

    node: Readings
    name: str
    address: str
    space: str

    @property
    def processes(self) -> Mapping[str, Sequence[int]]:
        """The numbers of the processes in the pod's network, by name."""
        script = f"for n in $(ip netns pids {self.space}); do echo $n $(cat /proc/$n/comm 2>/dev/null); done"
        found: dict[str, list[int]] = {}
        for line in self.node.output(script).splitlines():
            number, _, name = line.partition(" ")
            if name:  # it may have ended meanwhile
                found.setdefault(name, []).append(int(number))
        return found

    @property
    def listens(self) -> Mapping[str, list[str]]:
        """Where each program in the pod listens: ``address:port``, sorted."""
        return listening(self.node, prefix=f"ip netns exec {self.space} ")

    def settings(self, names: Sequence[str]) -> Mapping[str, str]:
        """Kernel settings of the pod's network."""
        return {
            name: self.node.output(f"ip netns exec {self.space} sysctl -n {shlex.quote(name)}").strip()
            for name in names
        }

    def connect(self, targets: Mapping[str, tuple[str, Sequence[int]]]) -> Mapping[str, Mapping[int, str]]:
        """Which ports can be reached from the pod: ``open`` or ``closed``, by the name of the target and by the port.

        Args:
            targets: Address and TCP ports by name.
        """
        return reached(self.node, self.space, targets)

    def version(self, process: str) -> str:
        """What the program of a process in the pod prints about its version.

        Raises:
            ReadingFailedError: there is not one such process, or it cannot be asked.
        """
        return self.node.output(f"/proc/{self._number(process)}/exe version")

    def decision(self) -> Mapping[str, Any]:
        """What OPA in the pod decides on a request of which it is told nothing.

        Raises:
            ReadingFailedError: there is not one OPA.
        """
        answer: Mapping[str, Any] = self.node.probe(
            "decision", f"/proc/{self._number(POLICY_PROCESS)}/root{POLICY_SOCKET}"
        )
        return answer

    def _number(self, process: str) -> int:
        found = self.processes.get(process, ())
        if len(found) != 1:
            raise ReadingFailedError(f"{len(found)} processes {process} run in the pod {self.name}")
        return found[0]


def registry_pod(cluster: Cluster, node: Readings) -> RegistryPod:
    """The registry pod of a node.

    Raises:
        ReadingFailedError: none runs there.
    """
    name, address = registry_pods.placed(cluster).get(node.target.name, ("", ""))
    if not address:
        raise ReadingFailedError(f"no registry pod runs on {node.target.name}")
    space = node.once(f"network namespace {address}", lambda: network_namespace(node, address))
    return RegistryPod(node, name, address, space)
