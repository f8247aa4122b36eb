"""The controls about certificates on this cluster: each holds, and each notices the change that is to prove it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
from conftest import ISSUES, ROOT, Certificates

from palisade.controls import Control, load_controls
from palisade.verification.check import Recorder
from palisade.verification.cluster import Cluster
from palisade.verification.cluster_access import ClusterAccess
from tests.check_modules import checks_in
from tests.control_plane.plane import CONTEXT
from tests.waiting import wait_until

CONTROLS = [control for control in load_controls(ROOT).controls if control.id.startswith("certificates-")]


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    return checks_in("test_certificates")


@pytest.fixture
def cluster(certificates: Certificates) -> Iterator[Cluster]:
    wait_until(lambda: certificates.is_ready(f"{ISSUES}/certificates/edge"), "the certificate is not ready")
    with Cluster(ClusterAccess(certificates.plane.kubeconfig, CONTEXT), declared=list) as opened:
        yield opened


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_control_holds_and_notices_what_breaks_it(
    certificates: Certificates, cluster: Cluster, checks: ModuleType, control: Control
) -> None:
    check = getattr(checks, control.verified_by.partition("::")[2])
    check(control, Recorder(), cluster)
    certificates.shell(control.proven_by)
    cluster.forget()
    try:
        with pytest.raises(AssertionError):
            check(control, Recorder(), cluster)
    finally:
        certificates.kubectl("delete", "certificate", "for-a-moment", "--namespace=palisade-registry")
        certificates.kubectl("delete", "role,rolebinding", "for-a-moment", "--namespace=palisade-registry")
        assert certificates.apply(certificates.declared["Certificate/edge"]) == ""
