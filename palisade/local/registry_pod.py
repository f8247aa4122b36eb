"""The registry pod of a local fleet, seen from this machine: where it is, what it recorded, and its OPA held."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from palisade.errors import PalisadeError
from palisade.fleet import Fleet, FleetHost, HostGroup
from palisade.local.access import ssh_arguments
from palisade.local.kubernetes import kubectl
from palisade.local.places import Places
from palisade.local.processes import run

NAMESPACE = "palisade-registry"
SELECTOR = "app.kubernetes.io/name=registry"
ENVOY_CONTAINER = "envoy"
POLICY_PROCESS = "opa-envoy-plugi"
"""The name of the process; the kernel keeps 15 characters."""
HELD_SECONDS = 60
"""How long OPA is held at most; a demonstration needs five."""
RELEASE = "palisade-release-opa"
"""The unit on the node that lets OPA go on."""


@dataclass(frozen=True)
class RegistryPod:
    """One registry pod that is ready.

    Args:
        name: Its name.
        host: The node that it runs on.
        places: The places of the fleet.
    """

    name: str
    host: FleetHost
    places: Places

    def records(self) -> Sequence[Mapping[str, Any]]:
        """What its Envoy recorded about requests in the last minutes, the oldest first."""
        log = kubectl(
            *(self.places, "logs", f"--namespace={NAMESPACE}", f"--container={ENVOY_CONTAINER}"),
            *("--since=5m", self.name),
        )
        documents = (json.loads(line) for line in log.output.splitlines() if line.startswith("{"))
        return [document for document in documents if document.get("record") == "request"]

    @contextmanager
    def held_policy(self) -> Iterator[None]:
        """Have OPA on this node hang, as long as this is entered, and never longer than :data:`HELD_SECONDS`.

        The node itself lets it go on after that time: it does not hang for ever because this machine was cut off.

        Raises:
            PalisadeError: the host cannot be reached.
        """
        timer = f"systemd-run --quiet --collect --unit={RELEASE} --on-active={HELD_SECONDS} {_signal('CONT')}"
        self._as_root(f"systemctl stop {RELEASE}.timer 2>/dev/null; {timer} && {_signal('STOP')}")
        try:
            yield
        finally:
            self._as_root(f"{_signal('CONT')} && systemctl stop {RELEASE}.timer")

    def _as_root(self, script: str) -> None:
        command = ("sudo", "sh", "-c", shlex.quote(script))
        run(ssh_arguments(self.places, self.host.name, command, batch=True), remedy="palisade local status")


def _signal(name: str) -> str:
    return f"pkill --signal {name} --exact {POLICY_PROCESS}"


def registry_pod(fleet: Fleet, places: Places) -> RegistryPod:
    """The first registry pod that is ready.

    Raises:
        PalisadeError: there is none.
    """
    listed = kubectl(places, "get", "pods", f"--namespace={NAMESPACE}", f"--selector={SELECTOR}", "--output=json")
    hosts = {host.name: host for host in fleet.in_group(HostGroup.REGISTRY)}
    for pod in json.loads(listed.output)["items"] if listed.succeeded else ():
        host = hosts.get(pod["spec"].get("nodeName", ""))
        if host is not None and _is_ready(pod):
            return RegistryPod(pod["metadata"]["name"], host, places)
    raise PalisadeError(
        "No registry pod is ready.",
        where=f"namespace {NAMESPACE} of the local cluster",
        remedy="make up; if it was: palisade local status, kubectl get pods --namespace palisade-registry",
    )


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", ())}
    return conditions.get("Ready") == "True"
