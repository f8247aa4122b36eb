"""A real Kubernetes control plane for tests: etcd and kube-apiserver as processes on loopback, without nodes."""

from tests.control_plane.plane import ControlPlane, control_plane

__all__ = ["ControlPlane", "control_plane"]
