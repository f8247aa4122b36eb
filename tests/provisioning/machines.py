"""Real Karpenter and kwok on a cluster without kubelets: the machines are simulated, everything else is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from palisade.console import Steps
from palisade.tools import ensure, step_titles
from tests.control_plane import ControlPlane
from tests.control_plane.processes import Daemon
from tests.provisioning.kubectl import Kubectl
from tests.provisioning.modules import PROJECT, karpenter_definitions, kubelet_stages

PROGRAMS = ("karpenter-kwok", "kwok")
NODE_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "simulated"}
"""What Karpenter makes simulated nodes from."""
INSTANCE_LABELS = {
    "cpu": "karpenter.kwok.sh/instance-cpu",
    "memory": "karpenter.kwok.sh/instance-memory",
    "memory_unit": "Gi",
}
"""How simulated machines are labelled with their size."""
INSTANCE_REQUIREMENTS = [{"key": "karpenter.kwok.sh/instance-family", "operator": "In", "values": ["s"]}]
"""The simulated machines that have 4 GiB for each vCPU, instead of the words of AWS in ``prod``."""
ZONES = ("test-zone-a", "test-zone-b", "test-zone-c")
"""Three of the four zones that simulated machines are in."""
_LEASE_SECONDS = 120
"""kwok renews the lease of a node at a quarter of this: seldom enough for 550 of them on two processors."""


@dataclass(frozen=True)
class Machines:
    """A cluster that gets simulated machines when its pods need them."""

    kubectl: Kubectl
    karpenter: Daemon


@contextmanager
def simulated_machines(plane: ControlPlane) -> Iterator[Machines]:
    """Let Karpenter buy simulated machines for a control plane as long as the block runs.

    Args:
        plane: It runs with its controllers; the logs of both programs go to its directory.
    """
    programs = ensure(PROJECT, PROGRAMS, Steps(step_titles(PROJECT, PROGRAMS)))
    kubectl = Kubectl(plane.kubeconfig)
    definitions = [f"--filename={path}" for path in karpenter_definitions()]
    kubectl.run("apply", "--server-side", *definitions)
    kubectl.run("wait", "--for=condition=Established", "--timeout=30s", *definitions)
    kubectl.apply(
        {
            "apiVersion": f"{NODE_CLASS['group']}/v1alpha1",
            "kind": NODE_CLASS["kind"],
            "metadata": {"name": NODE_CLASS["name"]},
        }
    )
    with ExitStack() as running:
        karpenter = Daemon(
            "karpenter",
            [
                "env",
                f"KUBECONFIG={plane.kubeconfig}",
                "SYSTEM_NAMESPACE=kube-system",
                "DISABLE_LEADER_ELECTION=true",
                "METRICS_PORT=0",  # any free port: nobody asks
                "HEALTH_PROBE_PORT=0",
                str(programs["karpenter-kwok"]),
            ],
            plane.directory,
        )
        running.callback(karpenter.stop)
        kwok = Daemon(
            "kwok",
            [
                "env",
                f"KWOK_WORKDIR={plane.directory}",  # or a configuration in the user's home would count
                str(programs["kwok"]),
                f"--kubeconfig={plane.kubeconfig}",
                "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
                f"--node-lease-duration-seconds={_LEASE_SECONDS}",
                *(f"--config={path}" for path in kubelet_stages()),
            ],
            plane.directory,
        )
        running.callback(kwok.stop)
        yield Machines(kubectl, karpenter)
